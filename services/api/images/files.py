"""Check a picture file that a client sent: its format and size, or a Problem."""

from dataclasses import dataclass
from uuid import UUID

from services.api.problems.codes import Problem, ProblemCode
from shared.pictures.decoders import Decoders
from shared.pictures.errors import DecodersBusyError, ImageError, ImageTooComplexError, ImageTooLargeError

MOST_PIXELS = 40_000_000
"""Limit of a picture's pixels; a decoded picture of this size takes 160 MB."""

RETRY_SECONDS = "2"

CODES: dict[type[ImageError], ProblemCode] = {
    ImageTooLargeError: ProblemCode.IMAGE_TOO_LARGE,
    ImageTooComplexError: ProblemCode.IMAGE_TOO_COMPLEX,
    DecodersBusyError: ProblemCode.DECODERS_BUSY,
}
"""Problem codes of picture errors; all others are `image_unreadable`."""


@dataclass(frozen=True)
class PictureFile:
    """A picture file that was decoded completely."""

    data: bytes
    media_type: str
    width: int
    height: int
    """Pixels after the rotation that the file's EXIF data requests."""


async def read_picture(decoders: Decoders, project_id: UUID, data: bytes) -> PictureFile:
    """Check the picture in a decoder process. Raises Problem: image_unreadable or one of CODES."""
    try:
        facts = await decoders.inspect(data, MOST_PIXELS, project_id)
    except ImageError as error:
        raise picture_problem(error) from error
    return PictureFile(data, facts.media_type, facts.width, facts.height)


def picture_problem(error: ImageError) -> Problem:
    """The problem of a picture that cannot be used."""
    code = CODES.get(type(error), ProblemCode.IMAGE_UNREADABLE)
    words = str(error)
    headers = {"Retry-After": RETRY_SECONDS} if error.retryable else {}
    return Problem(code, f"{words[:1].upper()}{words[1:]}. {error.hint}", param="image", headers=headers)
