"""Field types that several resources share."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from shared.ids import IdKind, MalformedIdError, parse_id

SIDE_STEP = 32
"""Pixels: the models count sizes in grid cells of 32."""
SMALLEST_SIDE = 32
LARGEST_SIDE = 2048
SIZE_PATTERN = re.compile(r"(\d{1,5})x(\d{1,5})")
DATA_URL_PATTERN = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=\s]+")
LARGEST_URL = 2048
METADATA_KEYS = 32


@dataclass(frozen=True)
class ImageSize:
    """Pixels of a picture."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read WIDTHxHEIGHT. Raises ValueError for what the token grid cannot hold."""
        match = SIZE_PATTERN.fullmatch(text)
        if match is None:
            raise ValueError("a size is written WIDTHxHEIGHT, for example 768x768")
        size = cls(int(match[1]), int(match[2]))
        for side in (size.width, size.height):
            if side % SIDE_STEP or not SMALLEST_SIDE <= side <= LARGEST_SIDE:
                raise ValueError(
                    f"each side must be a multiple of {SIDE_STEP} from {SMALLEST_SIDE} to {LARGEST_SIDE}"
                )
        return size

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def check_size(text: str) -> str:
    """A valid size, unchanged."""
    return str(ImageSize.parse(text))


def check_image_source(text: str) -> str:
    """An image's id, an HTTP address or a data URL, unchanged. Raises ValueError."""
    if text.startswith("data:"):
        if DATA_URL_PATTERN.fullmatch(text[:200]) is None:
            raise ValueError("a data URL must hold a base64 PNG, JPEG or WebP picture")
    elif text.startswith(("https://", "http://")):
        if len(text) > LARGEST_URL:
            raise ValueError(f"a URL may have at most {LARGEST_URL} characters")
    else:
        try:
            parse_id(IdKind.IMAGE, text)
        except MalformedIdError as error:
            raise ValueError(f"neither an image id, nor a URL, nor a data URL: {error}") from error
    return text


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Few enough keys to store beside every job. Raises ValueError."""
    if len(metadata) > METADATA_KEYS:
        raise ValueError(f"at most {METADATA_KEYS} keys")
    return metadata


Size = Annotated[str, AfterValidator(check_size)]
"""WIDTHxHEIGHT in pixels."""

ImageSource = Annotated[str, AfterValidator(check_image_source)]
"""`img_...`, https://... or data:image/png;base64,..."""

MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], AfterValidator(check_metadata)]
"""The client's own labels."""

Time = AwareDatetime
"""RFC 3339, with its offset."""

Seed = Annotated[int, Field(ge=0, lt=2**63)]
