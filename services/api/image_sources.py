"""The images of a job request: an id is checked, a URL or a data URL is stored first.

Workers meet ids alone: they fetch nothing from addresses of clients, and no picture lies in a request's row.
"""

import base64
import binascii
from uuid import UUID

from services.api.api_keys import Caller
from services.api.gateway import Gateway
from services.api.image_store import find_image, store_picture
from services.api.problems import Problem, ProblemCode
from shared.ids import IdKind, format_id, parse_id
from shared.schemas.jobs import JobRequest

FIELDS = ("image", "mask")


async def with_stored_images(gateway: Gateway, caller: Caller, request: JobRequest) -> JobRequest:
    """The request with an id in place of every other source. Raises Problem that names the field."""
    stored: dict[str, str] = {}
    for name in FIELDS:
        source = getattr(request, name)
        if source is None:
            continue
        try:
            stored[name] = format_id(IdKind.IMAGE, await store_source(gateway, caller, source))
        except Problem as problem:
            raise about_field(name, problem) from problem
    return request.model_copy(update=stored)


def about_field(name: str, problem: Problem) -> Problem:
    """The problem of one field of a job; an unknown id in a body is the body's fault, not the path's."""
    code = ProblemCode.INVALID_REQUEST if problem.code is ProblemCode.NOT_FOUND else problem.code
    return Problem(code, f"{name}: {problem.detail}", param=name, headers=problem.headers)


async def store_source(gateway: Gateway, caller: Caller, source: str) -> UUID:
    """The id of the picture that `source` (id, URL or data URL) means. Raises Problem."""
    if source.startswith(("data:", "http://", "https://")):
        data = await read_source(gateway, source)
        return (await store_picture(gateway, caller.project_id, data)).id
    async with gateway.database.transaction() as session:
        image = await session.run_sync(find_image, caller.project_id, parse_id(IdKind.IMAGE, source))
    return image.id


async def read_source(gateway: Gateway, source: str) -> bytes:
    """The bytes behind a URL, a data URL or bare base64. Raises Problem."""
    if source.startswith(("http://", "https://")):
        return await gateway.fetcher.fetch(source)
    return decode_base64(source)


def decode_base64(text: str) -> bytes:
    """The bytes of a data URL or of bare base64; white space is allowed. Raises Problem."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(ProblemCode.IMAGE_UNREADABLE, "The base64 is not valid.", param="image") from error
    if not data:
        raise Problem(ProblemCode.IMAGE_UNREADABLE, "The picture is empty.", param="image")
    return data
