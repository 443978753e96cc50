"""The lines of a batch are read in pieces, each line once and at its place."""

import json

import pytest

from services.api.openai.batches.read_lines import LINES_AT_ONCE, PIECE_BYTES, parse_piece

URL = "/v1/images/generations"


def line(number: int) -> bytes:
    body = {"prompt": f"{number} red circles"}
    return json.dumps({"custom_id": str(number), "method": "POST", "url": URL, "body": body}).encode()


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("piece_bytes", [300, 5000, PIECE_BYTES])
def test_every_line_is_read_once_and_found_at_its_place(ending: bytes, piece_bytes: int) -> None:
    count = 2 * LINES_AT_ONCE + 5
    data = ending.join(map(line, range(count)))
    rows: list[dict[str, object]] = []
    start = 0
    while start < len(data):
        piece = data[start : start + piece_bytes]
        is_last = start + len(piece) >= len(data)
        lines = parse_piece(piece, len(rows) + 1, start, URL, is_last=is_last)
        assert lines.errors == []
        assert 0 < len(lines.rows) <= LINES_AT_ONCE
        rows += lines.rows
        start += lines.bytes_read
    assert [row["number"] for row in rows] == list(range(1, count + 1))
    for number, row in enumerate(rows):
        place, size = row["start"], row["size"]
        assert isinstance(place, int)
        assert isinstance(size, int)
        assert json.loads(data[place : place + size]) == json.loads(line(number))


def test_a_line_that_is_longer_than_a_piece_ends_the_batch() -> None:
    lines = parse_piece(b"x" * 100, 7, 0, URL, is_last=False)
    assert [(fault["code"], fault["line"]) for fault in lines.errors] == [("line_too_long", 7)]
