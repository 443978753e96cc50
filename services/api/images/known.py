"""Find the stored picture behind a file that a client sends back, so that its codes are used again.

Encoding a decoded picture again changes half of its codes. A file is known by its bytes, or by the hash of
codes in its recipe; a recipe survives changes of the pixels in some programs, so these must be equal, too.
"""

from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from services.api.images.derivatives import converted
from services.api.images.repository import read_content
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.job_store.restore import has_usable_codes, was_erased
from shared.pictures.converting import Conversion
from shared.png_text import recipe_hash
from shared.tables import Image, ImageOrigin, ImageTokens

SHA256_DIGITS = 64
PIXELS = Conversion("image/png")
"""Files of equal pixels become equal files."""
MOST_CHECKED = 3
"""Pictures of one hash of codes that are compared by their pixels."""


async def find_known(gateway: Gateway, project_id: UUID, data: bytes) -> UUID | None:
    """The project's picture with these bytes, or with this recipe and these pixels; None for a foreign file.

    Raises Problem for a file with a recipe that is no picture, and StorageError.
    """
    codes = recipe_codes(data)
    async with gateway.database.transaction() as session:
        known = await session.run_sync(find_by_bytes, project_id, sha256(data).digest())
        if known is not None or codes is None:
            return known
        alike = await session.run_sync(find_by_codes, project_id, codes)
    if not alike:
        return None
    pixels = await converted(gateway, project_id, data, PIXELS)
    for image in alike:
        if await pixels_of(gateway, image) == pixels:
            return image.id
    return None


async def pixels_of(gateway: Gateway, image: Image) -> bytes | None:
    """The picture's pixels as a file; None if its file has just been deleted. Raises StorageError."""
    try:
        return await converted(gateway, image.project_id, await read_content(gateway, image), PIXELS)
    except Problem as problem:
        if problem.code == ProblemCode.IMAGE_EXPIRED:
            return None
        raise


def recipe_codes(data: bytes) -> bytes | None:
    """The hash of codes in a picture's recipe; None if it has no readable one."""
    text = recipe_hash(data) or ""
    try:
        return bytes.fromhex(text) if len(text) == SHA256_DIGITS else None
    except ValueError:
        return None


def find_by_bytes(session: Session, project_id: UUID, digest: bytes) -> UUID | None:
    """The picture whose file has, or had, these bytes: a drawn one before an upload, then the newest."""
    drawn_first = Image.origin == ImageOrigin.UPLOADED.value
    statement = (
        select(Image)
        .where(Image.project_id == project_id, Image.sha256 == digest, stays())
        .order_by(drawn_first, Image.id.desc())
    )
    return first_usable(session, session.scalars(statement))


def find_by_codes(session: Session, project_id: UUID, codes: bytes) -> list[Image]:
    """The newest drawn pictures with these codes whose files are kept."""
    statement = (
        select(Image)
        .join(ImageTokens, ImageTokens.image_id == Image.id)
        .where(
            Image.project_id == project_id,
            Image.origin == ImageOrigin.GENERATED.value,
            ImageTokens.sha256 == codes,
            stays(),
        )
        .order_by(Image.id.desc())
        .limit(MOST_CHECKED)
    )
    return [image for image in session.scalars(statement) if not image.is_expired]


def stays() -> ColumnElement[bool]:
    """Condition of pictures that no client has deleted, and that no request is about to take back."""
    is_drawn = Image.origin == ImageOrigin.GENERATED.value
    return or_(and_(is_drawn, ~was_erased()), and_(~is_drawn, Image.expires_at.is_(None)))


def first_usable(session: Session, images: Iterable[Image]) -> UUID | None:
    """The first picture that a job can start from: its file is kept, or its codes are."""
    for image in images:
        if not image.is_expired or has_usable_codes(session, image.id):
            return image.id
    return None
