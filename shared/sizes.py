"""Sizes of pictures: how they are written, and the squares of pixels that models divide them into.

API, engine, image tokenizer and training use this definition. It imports only the standard library, so that
the engine may import it.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

CELL_PIXELS: Final = 8
"""Side of a cell in pixels: the square that one image code stands for."""
CELLS_PER_GRID: Final = 4
GRID_PIXELS: Final = CELLS_PER_GRID * CELL_PIXELS
"""Unit of the size tokens in pixels; each side of a picture is a multiple of it."""
LARGEST_SIDE: Final = 2048
"""Longest side in pixels that the API accepts; each model has its own limit in addition."""

_WRITTEN = re.compile(r"(0|[1-9][0-9]{0,4})x(0|[1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Width and height in pixels. Subclasses check which sizes are allowed."""

    width: int
    height: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read WIDTHxHEIGHT, for example 768x512; None for a text of any other form."""
        written = _WRITTEN.fullmatch(text)
        return None if written is None else cls(int(written[1]), int(written[2]))

    @property
    def pixels(self) -> tuple[int, int]:
        """(width, height)."""
        return self.width, self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
