"""The images of a job request: ids are checked; URLs and base64 are read, and stored before the job.

The stored request contains only ids: workers fetch nothing from clients' URLs, and no row contains a picture.
"""

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.images.base64_pictures import SLICE, decode_base64
from services.api.images.files import PictureFile, read_picture
from services.api.images.repository import find_image, find_start
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id, parse_id
from shared.problem_documents import FieldError
from shared.schemas.fields import scheme_of
from shared.schemas.jobs import JobRequest
from shared.tables import Image

FIELDS = ("image", "mask")


async def read_sources(gateway: Gateway, caller: Caller, request: JobRequest) -> dict[str, PictureFile]:
    """Read the pictures that are given by URL or base64, by field name. Raises Problem that names the field.

    Nothing is stored. Ids are checked to be pictures of the project.
    """
    pictures: dict[str, PictureFile] = {}
    for name in FIELDS:
        source = getattr(request, name)
        if source is None or is_future(source):
            continue
        try:
            picture = await look_at_source(
                gateway, caller, source, find_image if name == "mask" else find_start
            )
        except Problem as problem:
            raise about_field(name, problem) from problem
        if picture is not None:
            pictures[name] = picture
    return pictures


def is_future(source: str) -> bool:
    """Whether the source is the id of a job, whose picture is not drawn yet."""
    return source.startswith(f"{IdKind.JOB.value}_")


def with_ids(request: JobRequest, ids: Mapping[str, UUID]) -> JobRequest:
    """The request with the ids of the stored pictures in place of URLs and base64."""
    return request.model_copy(
        update={name: format_id(IdKind.IMAGE, image_id) for name, image_id in ids.items()}
    )


def about_field(name: str, problem: Problem) -> Problem:
    """The problem with the field's name. An unknown id in a body is an invalid request (422), not a 404."""
    code = ProblemCode(problem.code)
    if code is ProblemCode.NOT_FOUND:
        code = ProblemCode.INVALID_REQUEST
    detail = f"{name}: {problem.detail}"
    error = FieldError(param=name, code=problem.code, message=detail)
    return Problem(code, detail, param=name, errors=[error], headers=problem.headers)


async def look_at_source(
    gateway: Gateway,
    caller: Caller,
    source: str,
    find: Callable[[Session, UUID, UUID], Image] = find_start,
) -> PictureFile | None:
    """Read a picture from a URL or base64; None if `source` is the id of a picture. Raises Problem.

    find: finds a picture by project and id. A job can start from an expired picture whose codes are kept.
    """
    if scheme_of(source) is not None:
        data = await read_source(gateway, source)
        return await read_picture(gateway.decoders, caller.project_id, data)
    async with gateway.database.transaction() as session:
        await session.run_sync(find, caller.project_id, parse_id(IdKind.IMAGE, source))
    return None


async def read_source(gateway: Gateway, source: str) -> bytes:
    """The bytes of a URL, a data URL or bare base64. Raises Problem."""
    if scheme_of(source) == "http":
        return await gateway.fetcher.fetch(source)
    if len(source) <= SLICE:
        return decode_base64(source)
    return await asyncio.to_thread(decode_base64, source)
