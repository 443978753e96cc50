"""Where a model folder has its image tokenizer."""

from pathlib import Path

IMAGE_TOKENIZER_PLACES = ("movqgan", "movqgan_270M.ckpt", "movqgan/270M/movqgan_270M.ckpt")
"""Possible paths inside a model folder, in the order of the search."""


def image_tokenizer_of(folder: Path) -> Path | None:
    """The path of the image tokenizer inside a model folder; None if it has none."""
    return next(filter(Path.exists, (folder / place for place in IMAGE_TOKENIZER_PLACES)), None)
