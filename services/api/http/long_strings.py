"""Cut long strings (pictures in base64) out of a JSON text before it is parsed, and put them back afterwards.

Parsing 33 MB of base64 would block the interpreter, and thus every other request, for a third of a second,
and copy the picture several times. A short placeholder is parsed instead. It begins with the same characters
as the string, so validation recognizes the same kind of source.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

LONG_BYTES = 128 * 1024
"""Strings above this can only be pictures: a prompt of 8,000 escaped characters takes 96,000 bytes."""
BEGINNING_BYTES = 200
NOT_IN_DATA_URLS = re.compile(rb"[^A-Za-z0-9+/=:;,.-]")
WHITE_SPACE_ESCAPES = ("\\n", "\\r", "\\t")


@dataclass
class CutText:
    """A JSON text without its long strings, and the strings."""

    text: bytes
    strings: dict[str, str] = field(default_factory=dict[str, str])
    """The JSON text between the quotes of each long string, by its placeholder."""

    def take(self, stand_in: str) -> str | None:
        """Remove and return the string behind a placeholder; None for any other text."""
        string = self.strings.pop(stand_in, None)
        return None if string is None else unescape(string)


def long_strings(text: bytearray) -> Iterator[slice]:
    """Positions of the strings that are longer than LONG_BYTES, without their quotes."""
    at = 0
    while (start := text.find(b'"', at)) >= 0 and (end := closing_quote(text, start + 1)) >= 0:
        if end - start > LONG_BYTES:
            yield slice(start + 1, end)
        at = end + 1


def cut_long_strings(text: bytearray, most_text: int) -> CutText | None:
    """Replace each long string with a placeholder; empties `text`.

    Returns None, with `text` unchanged, if more than `most_text` bytes would remain. Invalid JSON stays
    invalid.
    """
    places = list(long_strings(text))
    if len(text) - sum(place.stop - place.start for place in places) > most_text:
        return None
    cut = CutText(b"")
    pieces: list[bytes] = []
    kept = 0
    for place in places:
        stand_in = beginning(text, place.start) + uuid4().hex
        with memoryview(text) as view:
            cut.strings[stand_in] = str(view[place], "utf-8", "replace")
        pieces += [bytes(text[kept : place.start]), stand_in.encode()]
        kept = place.stop
    pieces.append(bytes(text[kept:]))
    text.clear()
    cut.text = b"".join(pieces)
    return cut


def closing_quote(text: bytearray, start: int) -> int:
    """Position of the quote that ends the string beginning at `start`; -1 if there is none."""
    at = start
    while (quote := text.find(b'"', at)) >= 0:
        between = text[at:quote] if quote - at <= LONG_BYTES else text[quote - LONG_BYTES : quote]
        backslashes = len(between) - len(between.rstrip(b"\\"))
        if backslashes % 2 == 0:
            return quote
        at = quote + 1
    return -1


def beginning(text: bytearray, start: int) -> str:
    """First characters of a string, by which validation recognizes the kind of source."""
    head = bytes(text[start : start + BEGINNING_BYTES]).replace(rb"\/", b"/")
    return NOT_IN_DATA_URLS.sub(b"", head).decode()


def unescape(string: str) -> str:
    """Undo JSON escapes that occur in base64: slashes (escaped by PHP), and line ends, which are dropped."""
    if "\\" not in string:
        return string
    string = string.replace("\\/", "/")
    for escape in WHITE_SPACE_ESCAPES:
        string = string.replace(escape, "")
    return string


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) for each string in a JSON value, keys included; the path is that of the field."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, inner in value.items():
                yield path, key
                yield from texts(inner, f"{path}.{key}" if path else key)
        case list():
            for index, inner in enumerate(value):
                yield from texts(inner, f"{path}.{index}")
        case _:
            return
