"""The size of a picture on the engine's token grid."""

from dataclasses import dataclass
from typing import Self

from services.worker.engine.errors import ImageSizeError
from shared.sizes import GRID_PIXELS, PixelSize


@dataclass(frozen=True, slots=True)
class PictureSize(PixelSize):
    """Width and height in pixels. Raises ImageSizeError for sides that are not on the grid.

    Widths are multiples of 32, heights of 16, because two panels share a grid of 32. `PictureRequest` checks
    that the height of its whole picture is a multiple of 32.
    """

    def __post_init__(self) -> None:
        if (
            self.width < GRID_PIXELS
            or self.height < GRID_PIXELS // 2
            or self.width % GRID_PIXELS
            or self.height % (GRID_PIXELS // 2)
        ):
            raise ImageSizeError(f"width and height of {self} must be multiples of {GRID_PIXELS} pixels")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse "WIDTHxHEIGHT", such as "768x512". Raises ImageSizeError."""
        size = cls.read(text)
        if size is None:
            raise ImageSizeError(f"'{text}' is not a size; write width and height like 768x512")
        return size
