"""What a picture says of its own making: text chunks added to its PNG."""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from services.worker.engine.prompts import PictureRequest
from services.worker.engine.sampling import SamplingParameters
from shared.token_grid import TokenGrid

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for what a model has made; readers of provenance know it."""
HEADER_END = 8 + 25
"""Signature and IHDR, which is always 13 bytes in 12 bytes of frame (PNG specification, 5.2 and 11.2.1)."""


def describe(
    request: PictureRequest,
    sampling: SamplingParameters,
    *,
    image: int,
    grid: TokenGrid,
    model: Mapping[str, Any],
    partial: bool,
) -> dict[str, str]:
    """Keyword to text: everything that is needed to draw the picture again, and nothing of the attempt.

    image: index among the pictures of one seed. model: names of decoder, precision and image tokenizer.
    """
    recipe = {
        "task": str(request.task),
        "prompt": request.prompt,
        "size": str(request.size),
        "map": None if request.map is None else str(request.map),
        **asdict(sampling),
        "image": image,
        "tokens_sha256": grid.sha256(),
        "partial": partial,
        **model,
    }
    return {
        "Software": "Luminary",
        "Description": request.prompt,
        "DigitalSourceType": SOURCE_TYPE,
        "luminary": json.dumps(recipe, sort_keys=True),
    }


def add_text(png: bytes, text: Mapping[str, str]) -> bytes:
    """The same picture with international text chunks (iTXt) behind its header."""
    chunks = b"".join(text_chunk(keyword, value) for keyword, value in text.items())
    return png[:HEADER_END] + chunks + png[HEADER_END:]


def text_chunk(keyword: str, text: str) -> bytes:
    """One iTXt chunk: keyword, uncompressed, no language, UTF-8 text (PNG specification, 11.3.3.4)."""
    data = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def png_size(png: bytes) -> tuple[int, int]:
    """(width, height) in pixels, from the header."""
    width, height = struct.unpack_from(">II", png, 16)
    return width, height
