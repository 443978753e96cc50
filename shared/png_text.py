"""Text chunks right after the header of a PNG, where the platform writes a picture's recipe."""

import json
import struct
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_END = len(SIGNATURE) + 25
"""Length of the signature and of IHDR with its 13 bytes of data (PNG specification, 5.2 and 11.2.1)."""
TEXT_CHUNK = b"iTXt"
RECIPE = b"luminary\0\0\0\0\0"
"""Start of the text chunk with a picture's recipe: keyword, not compressed, no language (PNG, 11.3.3.4)."""
CHUNK_FRAME = 12
"""Bytes of a chunk besides its data: length, type and checksum."""


def leading_text(start: bytes) -> bytes:
    """The text chunks right after the header. start: the beginning of a file; empty if it is no PNG."""
    if not start.startswith(SIGNATURE):
        return b""
    end = HEADER_END
    while len(start) >= end + CHUNK_FRAME and start[end + 4 : end + 8] == TEXT_CHUNK:
        (length,) = struct.unpack_from(">I", start, end)
        if end + CHUNK_FRAME + length > len(start):
            break
        end += CHUNK_FRAME + length
    return start[HEADER_END:end]


def with_leading_text(png: bytes, text: bytes) -> bytes:
    """The PNG with these chunks right after its header."""
    return png[:HEADER_END] + text + png[HEADER_END:]


def recipe_hash(png: bytes) -> str | None:
    """The hash of codes in the recipe of a picture; None if it has none, empty if that is malformed."""
    for kind, data in chunks(png):
        if kind == TEXT_CHUNK and data.startswith(RECIPE):
            try:
                found = json.loads(data[len(RECIPE) :])["tokens_sha256"]
            except (ValueError, KeyError, TypeError, RecursionError):
                return ""
            return found if isinstance(found, str) else ""
    return None


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of each chunk of a PNG (PNG, 5.3)."""
    place = len(SIGNATURE)
    while place + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        yield kind, png[place + 8 : place + 8 + length]
        place += CHUNK_FRAME + length
