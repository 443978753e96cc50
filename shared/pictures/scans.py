"""Count the scans of a JPEG file; decoding each scan takes a pass over all pixels.

A progressive file has about ten scans, but the format allows a million, of 59 bytes each.
"""

import re

MOST_SCANS = 64
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length field: TEM, the restart markers and the start of the image."""
NEXT_MARKER = re.compile(rb"\xff([^\x00\xff])", re.DOTALL)
"""A marker: 0xFF that is neither a fill byte nor part of the compressed data; found in linear time."""


def count_scans(jpeg: bytes, most: int = MOST_SCANS) -> int:
    """Number of scans of the file's first picture; counting stops at `most` + 1."""
    scans, place = 0, 2
    while scans <= most and (marker := NEXT_MARKER.search(jpeg, place)) is not None:
        kind, place = marker[1][0], marker.end()
        if kind == END_OF_IMAGE:
            break
        if kind in STANDALONE:
            continue
        if kind == START_OF_SCAN:
            scans += 1
        place += int.from_bytes(jpeg[place : place + 2], "big")
    return scans
