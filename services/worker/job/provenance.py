"""Write the recipe of a picture into its PNG as text chunks; platform and command line use it."""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.png_text import with_leading_text
from shared.token_grid import TokenGrid

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that a trained model has made; programs that show provenance know it."""


def describe(
    request: PictureRequest,
    sampling: SamplingParameters,
    *,
    image: int,
    grid: TokenGrid,
    model: Mapping[str, Any],
    partial: bool,
) -> dict[str, str]:
    """Return text by keyword: everything needed to draw the picture again, and nothing about the attempt.

    image: index among the pictures of one seed. model: names of decoder, precision, image tokenizer and
    adapter, if there is one.
    """
    recipe = {
        "task": str(request.task),
        "prompt": request.prompt,
        "size": str(request.size),
        "map": None if request.map is None else str(request.map),
        "subject": request.subject,
        **asdict(sampling),
        "image": image,
        "tokens_sha256": grid.sha256(),
        "partial": partial,
        "adapter": None,
        **model,
    }
    if request.negative_prompt is not None:
        recipe["negative_prompt"] = request.negative_prompt
    return {
        "Software": "Luminary",
        "Description": request.prompt,
        "DigitalSourceType": SOURCE_TYPE,
        "luminary": json.dumps(recipe, sort_keys=True),
    }


def add_to_recipe(text: Mapping[str, str], more: Mapping[str, Any]) -> dict[str, str]:
    """Add entries to the recipe in the result of `describe`."""
    recipe = {**json.loads(text["luminary"]), **more}
    return {**text, "luminary": json.dumps(recipe, sort_keys=True)}


def add_text(png: bytes, text: Mapping[str, str]) -> bytes:
    """Insert international text chunks (iTXt) after the PNG's header."""
    chunks = b"".join(text_chunk(keyword, value) for keyword, value in text.items())
    return with_leading_text(png, chunks)


def text_chunk(keyword: str, text: str) -> bytes:
    """One iTXt chunk, not compressed, without a language, UTF-8 text (PNG specification, 11.3.3.4)."""
    data = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the PNG's header."""
    width, height = struct.unpack_from(">II", png, 16)
    return width, height
