"""The route behind the addresses of pictures: it takes a key or a signature, and never redirects."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.api.auth.middleware import project_of
from services.api.dependencies import GatewayDep, IfNoneMatch, id_in_path
from services.api.http.etags import tagged
from services.api.images.derivatives import MEDIA_TYPES
from services.api.images.repository import content_headers, find_image
from services.api.openai.pictures.answers import file_of
from services.api.openai.pictures.links import Signature, signed_project
from services.api.openai.wire.routing import OpenAIRoute, openai_refusals
from services.api.problems.codes import ProblemCode
from services.api.process.acting import Purpose, as_platform, as_project
from shared.ids import IdKind
from shared.links import LINKED_PICTURES
from shared.pictures.formats import MEDIA_TYPES as STORED_TYPES
from shared.schemas.jobs import OutputFormat

router = APIRouter(tags=["openai"], route_class=OpenAIRoute)
ANY_PICTURE = {"schema": {"type": "string", "format": "binary"}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    **openai_refusals(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.NOT_FOUND,
        ProblemCode.IMAGE_EXPIRED,
        ProblemCode.IMAGE_UNREADABLE,
        ProblemCode.DECODERS_BUSY,
        ProblemCode.DATABASE_UNAVAILABLE,
        ProblemCode.STORAGE_UNAVAILABLE,
    ),
    200: {"description": "The picture's file.", "content": dict.fromkeys(STORED_TYPES, ANY_PICTURE)},
}


@router.get(f"{LINKED_PICTURES}/{{file_name}}", response_class=Response, responses=ANSWERS)
async def get_linked_picture(
    request: Request,
    gateway: GatewayDep,
    file_name: Annotated[str, Path(description="The picture's id with the extension of its format.")],
    given: Annotated[Signature, Depends()],
    *,
    file_format: Annotated[OutputFormat | None, Query(alias="format", description="Its format.")] = None,
    quality: Annotated[int | None, Query(ge=1, le=100, description="Quality of webp and jpeg.")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Download a picture from an address that an answer has named: with a key, or with its signature."""
    image_id = id_in_path(IdKind.IMAGE, re.sub(r"\.[a-z]+$", "", file_name))
    project_id = project_of(request.scope)
    if project_id is None:
        async with as_platform(Purpose.LINKS), gateway.database.transaction() as session:
            project_id = await session.run_sync(signed_project, given, image_id, file_format, quality)
    with as_project(project_id):
        async with gateway.database.transaction() as session:
            image = await session.run_sync(find_image, project_id, image_id)
        data = await file_of(gateway, image, file_format, quality)
    media_type = image.media_type if file_format is None else MEDIA_TYPES[file_format]
    return tagged(data, if_none_match, media_type, content_headers(image, media_type))
