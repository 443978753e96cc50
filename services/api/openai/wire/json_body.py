"""Read a JSON body as a plain object. Long strings (pictures in base64) may stand at any depth.

The limits of `http.json_bodies` hold: of the text without its long strings, of brackets and commas, of
members of one object.
"""

import asyncio
import json
from typing import Any

from fastapi import Request

from services.api.http.json_bodies import MOST_TEXT_BYTES, receive_json, require_json
from services.api.http.json_text import check_json, malformed
from services.api.http.long_strings import LONG_BYTES, CutText, cut_long_strings
from services.api.problems.codes import Problem, ProblemCode

Json = dict[str, Any]


async def read_object(request: Request) -> Json:
    """The body, which must be a JSON object. Raises Problem. A long body is parsed in a thread."""
    require_json(request)
    text = await receive_json(request)
    if len(text) <= LONG_BYTES:
        return parse_object(text)
    return await asyncio.to_thread(parse_object, text)


def parse_object(text: bytearray) -> Json:
    """Parse the JSON object; empties `text`. Raises Problem."""
    if not text:
        raise malformed("it is empty")
    cut = cut_long_strings(text, MOST_TEXT_BYTES)
    if cut is None:
        detail = f"The JSON without its pictures has more than {MOST_TEXT_BYTES} bytes."
        raise Problem(ProblemCode.BODY_TOO_LARGE, detail, param="body")
    check_json(cut.text)
    value = json.loads(cut.text)
    if not isinstance(value, dict):
        raise malformed("it is not an object")
    return with_strings(value, cut) if cut.strings else value


def with_strings(value: Any, cut: CutText) -> Any:
    """The value with the long strings put back. Raises Problem for one with invalid escapes."""
    match value:
        case str() if value in cut.strings:
            return whole_string(cut.strings.pop(value))
        case dict():
            return {key: with_strings(inner, cut) for key, inner in value.items()}
        case list():
            return [with_strings(inner, cut) for inner in value]
        case _:
            return value


def whole_string(between_quotes: str) -> str:
    """The string that stands between quotes in the JSON text. Raises Problem."""
    if "\\" not in between_quotes:
        return between_quotes
    try:
        return json.loads(f'"{between_quotes}"', strict=False)
    except json.JSONDecodeError as error:
        raise malformed(f"{error.msg} in a long string") from error
