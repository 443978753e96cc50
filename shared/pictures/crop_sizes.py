"""The sizes that the published models were trained for, as in the reference code, and the best for a picture.

This module needs no Pillow, because workers choose sizes without opening pictures.
"""

from collections.abc import Sequence

from shared.sizes import GRID_PIXELS

Size = tuple[int, int]
"""(width, height) in pixels."""


def generate_crop_sizes(target: int, *, patch_size: int = GRID_PIXELS) -> list[Size]:
    """Sizes with about `target` x `target` pixels, from the widest to the tallest, at most 4:1.

    target: side of the square size in pixels, for example 512 or 768.
    patch_size: unit of the sides in pixels.
    """
    return generate_patch_sizes((target // patch_size) ** 2, patch_size, max_ratio=4.0)


def generate_patch_sizes(patches: int, patch_size: int, max_ratio: float) -> list[Size]:
    """Sizes of at most `patches` patches, from the widest to the tallest.

    Follows the hyperbola width * height = patches: the height grows by one patch while the area fits,
    otherwise the width shrinks by one. max_ratio: longest side divided by the shortest.
    """
    sizes: list[Size] = []
    columns, rows = patches, 1
    while columns > 0:
        if max(columns, rows) / min(columns, rows) <= max_ratio:
            sizes.append((columns * patch_size, rows * patch_size))
        if columns * (rows + 1) <= patches:
            rows += 1
        else:
            columns -= 1
    return sizes


def choose_crop_size(size: Size, crop_sizes: Sequence[Size]) -> Size:
    """The crop size that keeps most of a picture of `size`; among equals the largest (width, height)."""
    width, height = size

    def kept(crop: Size) -> float:
        scales = crop[0] / width, crop[1] / height
        return min(scales) / max(scales)

    return max(crop_sizes, key=lambda crop: (kept(crop), crop))
