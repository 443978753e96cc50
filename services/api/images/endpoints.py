"""Routes of pictures: upload, describe, download, convert."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, IfNoneMatch, ImageId
from services.api.http.etags import tagged
from services.api.http.query_rules import refuse_unknown_query
from services.api.images.credentials import signed
from services.api.images.derivatives import conversion_of, read_converted, read_thumbnail
from services.api.images.repository import content_headers, find_image, find_row, state_of, store_picture
from services.api.images.restore import restore_picture
from services.api.images.schemas import ImageResponse
from services.api.images.upload import UPLOAD_BODY, read_upload
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.quotas.usage import check_storage
from shared.pictures.converting import THUMBNAIL
from shared.pictures.formats import MEDIA_TYPES
from shared.schemas.jobs import OutputFormat

router = APIRouter(
    prefix="/v1/images",
    tags=["images"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.DATABASE_UNAVAILABLE,
        ProblemCode.STORAGE_UNAVAILABLE,
    ),
)
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)
REFUSED_RESTORES = problem_responses(ProblemCode.NOT_FOUND, ProblemCode.IMAGE_NOT_RESTORABLE)
RESTORE_SECONDS = "1"
"""Pause before a client reads the image again."""
REFUSED_CONVERSIONS = problem_responses(
    ProblemCode.NOT_FOUND,
    ProblemCode.IMAGE_EXPIRED,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.IMAGE_UNREADABLE,
    ProblemCode.IMAGE_TOO_LARGE,
    ProblemCode.IMAGE_TOO_COMPLEX,
    ProblemCode.DECODERS_BUSY,
    ProblemCode.DATABASE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE,
)
REFUSED_UPLOADS = problem_responses(
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.IMAGE_UNREADABLE,
    ProblemCode.IMAGE_TOO_LARGE,
    ProblemCode.IMAGE_TOO_COMPLEX,
    ProblemCode.DECODERS_BUSY,
    ProblemCode.IMAGE_UNAVAILABLE,
    ProblemCode.IMAGE_URL_FORBIDDEN,
)
ANY_PICTURE = {"schema": {"type": "string", "format": "binary"}}


@router.post("", status_code=201, openapi_extra=UPLOAD_BODY, responses=REFUSED_UPLOADS)
async def post_image(
    request: Request, caller: CallerDep, gateway: GatewayDep, response: Response
) -> ImageResponse:
    """Upload a PNG, JPEG, WebP or GIF picture; jobs can then use it by its id."""
    data = await read_upload(request, gateway)
    async with gateway.database.transaction() as session:
        await session.run_sync(check_storage, caller.project_id, caller.limits)
    image = await store_picture(gateway, caller.project_id, data)
    async with gateway.database.transaction() as session:
        state = await session.run_sync(state_of, image, gateway.settings.retention)
    described = ImageResponse.of(image, state, gateway.settings.gateway.public_url)
    response.headers["Location"] = described.url.removesuffix("/content")
    return described


@router.get("/{image_id}", responses=NOT_FOUND)
async def get_image(caller: CallerDep, gateway: GatewayDep, image_id: ImageId) -> ImageResponse:
    """Describe a picture: size, format, hash, the URL of its file, and whether the file has expired."""
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_row, caller.project_id, image_id)
        state = await session.run_sync(state_of, image, gateway.settings.retention)
    return ImageResponse.of(image, state, gateway.settings.gateway.public_url)


@router.post(
    "/{image_id}/restore",
    responses={
        **REFUSED_RESTORES,
        202: {"model": ImageResponse, "description": "The file is being decoded from its tokens again."},
    },
)
async def post_restore(
    caller: CallerDep, gateway: GatewayDep, image_id: ImageId, response: Response
) -> ImageResponse:
    """Decode an expired picture from its tokens again, with the same id and the same pixels.

    202 while it is decoded: read the image until `expired` is false. 200 if its file is there already.
    """
    async with gateway.database.transaction() as session:
        image, state = await session.run_sync(
            restore_picture, caller.project_id, image_id, gateway.settings.retention
        )
    described = ImageResponse.of(image, state, gateway.settings.gateway.public_url)
    if state.restoring:
        response.status_code = 202
        response.headers["Location"] = described.url.removesuffix("/content")
        response.headers["Retry-After"] = RESTORE_SECONDS
    return described


@router.get(
    "/{image_id}/content",
    response_class=Response,
    responses={
        **REFUSED_CONVERSIONS,
        200: {
            "description": "The picture's file as it is stored, or converted.",
            "content": dict.fromkeys(MEDIA_TYPES, ANY_PICTURE),
        },
    },
)
async def get_content(
    caller: CallerDep,
    gateway: GatewayDep,
    image_id: ImageId,
    *,
    file_format: Annotated[
        OutputFormat | None, Query(alias="format", description="Convert the file to this format.")
    ] = None,
    quality: Annotated[
        int | None, Query(ge=1, le=100, description="Quality of webp and jpeg; 90 if it is left out.")
    ] = None,
    credentials: Annotated[
        bool, Query(description="Whether a drawn picture gets content credentials; false sends it as stored.")
    ] = True,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Download a picture's file. Its pixels never change, so clients may cache it for ever.

    With content credentials its bytes differ from the stored ones, whose hash is `sha256`, and each time.
    """
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_image, caller.project_id, image_id)
    conversion = conversion_of(image, file_format, quality)
    data = await read_converted(gateway, image, conversion)
    media_type = image.media_type if conversion is None else conversion.media_type
    answer = tagged(data, if_none_match, media_type, content_headers(image, media_type))
    return await signed(gateway, image, answer) if credentials else answer


@router.get(
    "/{image_id}/thumbnail",
    response_class=Response,
    responses={
        **REFUSED_CONVERSIONS,
        200: {
            "description": "A WebP of at most 256 pixels a side.",
            "content": {THUMBNAIL.media_type: ANY_PICTURE},
        },
    },
)
async def get_thumbnail(
    caller: CallerDep, gateway: GatewayDep, image_id: ImageId, if_none_match: IfNoneMatch = None
) -> Response:
    """Download a small WebP of a picture, for lists. It never changes, so clients may cache it for ever."""
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_image, caller.project_id, image_id)
    data = await read_thumbnail(gateway, image)
    return tagged(data, if_none_match, THUMBNAIL.media_type, content_headers(image, THUMBNAIL.media_type))
