"""A picture of a request becomes the source of a job: an id, a URL or a data URL.

Media types that clients send are ignored, because many are wrong: the first bytes decide.
"""

import asyncio
import base64
import binascii
import re

from services.api.auth.api_keys import Caller
from services.api.images.base64_pictures import SLICE
from services.api.openai.files.repository import picture_of_file
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, id_pattern
from shared.links import LINKED_PICTURES
from shared.pictures.formats import FORMAT_NAMES, PictureFormat, find_format
from shared.schemas.fields import GIVEN_KINDS, LARGEST_URL, scheme_of

OWN_ID = re.compile("|".join(id_pattern(kind) for kind in GIVEN_KINDS))
FILE_ID = re.compile(id_pattern(IdKind.FILE))
SNIFFED = 64
"""Characters of base64 that are enough to recognize a format."""
LONGEST_DATA_PREFIX = 200


async def picture_source(gateway: Gateway, caller: Caller, given: str | bytes, param: str) -> str:
    """The source of a picture, which may be an uploaded file. Raises Problem that names `param`."""
    if isinstance(given, str) and FILE_ID.fullmatch(given.strip()):
        async with gateway.database.transaction() as session:
            return await session.run_sync(picture_of_file, caller.project_id, given.strip(), param)
    return await source_of(given, param, gateway.settings.gateway.public_url)


async def source_of(given: str | bytes, param: str, public_url: str) -> str:
    """The source of a picture that was given as a file, an id, a URL, a data URL or bare base64.

    A URL of this gateway's own pictures becomes the picture's id. Raises Problem that names `param`.
    """
    if isinstance(given, bytes):
        return await data_url_of(given, param)
    text = given.strip()
    if OWN_ID.fullmatch(text):
        return text
    if scheme_of(text) == "http":
        return own_picture(text, public_url) or checked_url(text, param)
    encoded = text
    if scheme_of(text) == "data":
        prefix, found, encoded = text.partition(",")
        if not found or len(prefix) > LONGEST_DATA_PREFIX or not prefix.lower().endswith(";base64"):
            raise unreadable(param, "A data URL must contain a picture in base64.")
    return f"data:{format_of_base64(encoded, param).media_type};base64,{encoded}"


def own_picture(url: str, public_url: str) -> str | None:
    """The id of the picture that a URL of this gateway shows; None for any other URL."""
    path = url.partition("?")[0].removeprefix(public_url)
    found = re.fullmatch(
        f"(?:/v1/images|{LINKED_PICTURES})/({id_pattern(IdKind.IMAGE)})(?:/content|\\.[a-z]+)?", path
    )
    return None if found is None or path == url else found[1]


def checked_url(text: str, param: str) -> str:
    """The URL. Raises Problem if it is too long."""
    if len(text) > LARGEST_URL:
        detail = f"{param}: A URL may have at most {LARGEST_URL} characters."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=param)
    return text


async def data_url_of(data: bytes, param: str) -> str:
    """A file as a data URL. Raises Problem if it is no picture."""
    known = find_format(data)
    if known is None:
        raise unreadable(param, f"The file is not a {FORMAT_NAMES} picture.")
    # encoding a large file at once would block other requests
    encode = base64.b64encode
    encoded = encode(data) if len(data) <= SLICE else await asyncio.to_thread(encode, data)
    return f"data:{known.media_type};base64,{encoded.decode('ascii')}"


def format_of_base64(encoded: str, param: str) -> PictureFormat:
    """The format of a picture in base64, by its first bytes. Raises Problem."""
    beginning = "".join(encoded[: 2 * SNIFFED].split())[:SNIFFED]
    try:
        data = base64.b64decode(beginning[: len(beginning) - len(beginning) % 4])
    except (binascii.Error, ValueError):
        data = b""
    known = find_format(data)
    if known is None:
        words = f"This is neither a file, an id, a URL nor a {FORMAT_NAMES} picture in base64."
        raise unreadable(param, words)
    return known


def unreadable(param: str, words: str) -> Problem:
    """Problem of a picture that cannot be read."""
    return Problem(ProblemCode.IMAGE_UNREADABLE, f"{param}: {words}", param=param)
