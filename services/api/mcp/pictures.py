"""Pictures for language models: small enough for a message, as PNG if that fits."""

from dataclasses import dataclass

from services.api.images.credentials import with_credentials
from services.api.images.derivatives import converted
from services.api.images.repository import read_content
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.pictures.converting import THUMBNAIL, Conversion
from shared.tables import Image

MESSAGE_BYTES = 700_000
"""Bytes of all pictures in one message. In base64 they stay below 1 MiB; clients refuse longer messages."""
GOOD = Conversion("image/webp", 90)
SCHEME = "luminary://images/"


@dataclass(frozen=True)
class Shown:
    """A picture that is sent."""

    data: bytes
    media_type: str


async def shown(gateway: Gateway, image: Image, limit: int) -> Shown:
    """The picture in at most `limit` bytes: the file itself, a WebP, or a thumbnail.

    Raises Problem (image_expired) or StorageError.
    """
    data = await read_content(gateway, image)
    signed = await with_credentials(gateway, image, data, image.media_type)
    if len(signed) <= limit:
        return Shown(signed, image.media_type)
    for conversion in (GOOD, THUMBNAIL):
        small = await converted(gateway, image.project_id, data, conversion)
        small = await with_credentials(gateway, image, small, conversion.media_type)
        if len(small) <= limit:
            break
    return Shown(small, conversion.media_type)


def resource_of(image: Image) -> str:
    """The address under which clients of this protocol read the picture."""
    return f"{SCHEME}{format_id(IdKind.IMAGE, image.id)}"
