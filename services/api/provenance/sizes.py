"""The sizes at which a picture of unknown origin is encoded: pure."""

from collections.abc import Iterable

from shared.sizes import CELL_PIXELS, LARGEST_SIDE

SMALLEST_SIDE = 4 * CELL_PIXELS
MOST_PIXELS = 1 << 21
"""Pixels of the largest picture that is encoded as it is; larger ones were enlarged, or are screenshots."""
SAME_SHAPE = 0.02
"""Difference of two aspect ratios up to which one size is a scaled copy of the other."""
MOST_SIZES = 3

Size = tuple[int, int]


def sizes_to_try(width: int, height: int, drawn: Iterable[Size]) -> list[Size]:
    """Its own size in whole cells, then sizes of drawn pictures with its shape, the nearest area first."""
    own = (width // CELL_PIXELS * CELL_PIXELS, height // CELL_PIXELS * CELL_PIXELS)
    sizes = [own] if is_encodable(own) else []
    alike = [
        size for size in drawn if size not in sizes and is_encodable(size) and has_shape(size, width, height)
    ]
    area = width * height
    sizes += sorted(alike, key=lambda size: abs(size[0] * size[1] - area))
    return sizes[:MOST_SIZES]


def is_encodable(size: Size) -> bool:
    """Whether the tokenizer service encodes a picture of this size at once."""
    sides_fit = min(size) >= SMALLEST_SIDE and max(size) <= LARGEST_SIDE
    return sides_fit and size[0] * size[1] <= MOST_PIXELS


def has_shape(size: Size, width: int, height: int) -> bool:
    """Whether the size has about the aspect ratio width to height."""
    return abs(size[0] * height / (size[1] * width) - 1) <= SAME_SHAPE
