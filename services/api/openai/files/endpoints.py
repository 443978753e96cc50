"""Routes of the files of OpenAI's clients."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep
from services.api.openai.files.content import file_answer
from services.api.openai.files.parts import JSON_LINES
from services.api.openai.files.repository import FileFilter, find_file, list_files, parse_file_id
from services.api.openai.files.schemas import FileDeleted, FileList, FileResponse
from services.api.openai.files.store import delete_file
from services.api.openai.files.upload import UPLOAD, store_upload
from services.api.openai.wire.routing import EVERYWHERE, OpenAIRoute, openai_refusals
from services.api.problems.codes import ProblemCode
from shared.links import OPENAI_PATH
from shared.pictures.formats import MEDIA_TYPES

router = APIRouter(
    prefix=f"{OPENAI_PATH}/files",
    tags=["openai"],
    route_class=OpenAIRoute,
    responses=openai_refusals(*EVERYWHERE, ProblemCode.NOT_FOUND, ProblemCode.STORAGE_UNAVAILABLE),
)
REFUSED_UPLOADS = openai_refusals(
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.IMAGE_UNREADABLE,
    ProblemCode.IMAGE_TOO_LARGE,
    ProblemCode.IMAGE_TOO_COMPLEX,
    ProblemCode.DECODERS_BUSY,
    ProblemCode.DATABASE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE,
)
EXPIRED = openai_refusals(ProblemCode.IMAGE_EXPIRED)
BYTES = {"schema": {"type": "string", "format": "binary"}}
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": dict.fromkeys((JSON_LINES, *MEDIA_TYPES), BYTES)}
}


def get_file_id(file_id: Annotated[str, Path(description="The file's id.")]) -> UUID:
    """The file that the path names."""
    return parse_file_id(file_id)


FileId = Annotated[UUID, Depends(get_file_id)]


@router.post("", openapi_extra=UPLOAD, responses=REFUSED_UPLOADS)
async def create_openai_file(request: Request, caller: CallerDep, gateway: GatewayDep) -> FileResponse:
    """Upload a picture (purpose `vision`), or the requests of a batch (purpose `batch`)."""
    return FileResponse.of(await store_upload(request, gateway, caller))


@router.get("")
async def list_openai_files(
    caller: CallerDep,
    gateway: GatewayDep,
    *,
    purpose: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[
        str | None, Query(max_length=64, description="The last id of the previous page.")
    ] = None,
    order: Literal["asc", "desc"] = "desc",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> FileList:
    """List the project's files, newest first."""
    last = None if after is None else parse_file_id(after, "after")
    wanted = FileFilter(purpose, last, order == "asc")
    async with gateway.reads.transaction() as session:
        files, has_more = await session.run_sync(list_files, caller.project_id, wanted, limit)
    return FileList.of(files, has_more=has_more)


@router.get("/{file_id}")
async def get_openai_file(caller: CallerDep, gateway: GatewayDep, file_id: FileId) -> FileResponse:
    """Describe a file."""
    async with gateway.database.transaction() as session:
        return FileResponse.of(await session.run_sync(find_file, caller.project_id, file_id))


@router.delete("/{file_id}")
async def delete_openai_file(caller: CallerDep, gateway: GatewayDep, file_id: FileId) -> FileDeleted:
    """Delete a file; a picture of it expires."""
    return FileDeleted(id=await delete_file(gateway, caller.project_id, file_id))


@router.get("/{file_id}/content", response_class=Response, responses={**EXPIRED, **CONTENT})
async def get_openai_file_content(caller: CallerDep, gateway: GatewayDep, file_id: FileId) -> Response:
    """Download a file."""
    async with gateway.database.transaction() as session:
        file = await session.run_sync(find_file, caller.project_id, file_id)
    return await file_answer(gateway, file)
