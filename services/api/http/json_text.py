"""Check JSON more strictly than Python's parser, with limits that are checked before parsing.

Python's parser accepts duplicate keys (the last one wins), NaN, numbers of any size and any number of small
values; each of them is refused here. Source: RFC 8259, sections 4 and 6.
"""

import json
import math
from typing import Any, NoReturn

from services.api.problems.codes import Problem, ProblemCode
from shared.problem_documents import FieldError

MARKS = b'[{,:"'
"""Characters of which every JSON value needs one, while base64 contains none."""
MOST_MARKS = 32_768
"""Enough for the longest prompt and labels made only of commas; too few to fill memory with small values."""
MOST_MEMBERS = 64
"""Limit of members in one object: twice the number that the largest valid request has."""
GZIP_MAGIC = b"\x1f\x8b"


class MarkCounter:
    """Counts the characters that make a JSON text expensive to parse, while its chunks arrive."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, piece: bytes) -> None:
        """Count the MARKS in a chunk. Raises Problem above MOST_MARKS in total."""
        self._count += sum(piece.count(mark) for mark in MARKS)
        if self._count > MOST_MARKS:
            raise Problem(
                ProblemCode.MALFORMED_REQUEST,
                f"The JSON has more than {MOST_MARKS:,} brackets, commas, colons and quotes; no valid "
                "request has so many.",
                param="body",
            )


def check_json(text: bytes) -> None:
    """Raise Problem unless the text is one JSON value that every parser reads in the same way."""
    if text.startswith(GZIP_MAGIC):
        raise Problem(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE,
            "The body is compressed with gzip; send it uncompressed.",
            param="body",
        )
    try:
        json.loads(
            text.decode("utf-8"),
            object_pairs_hook=unique_members,
            parse_constant=refuse_constant,
            parse_float=finite_float,
        )
    except UnicodeDecodeError as error:
        raise malformed(f"it is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise malformed(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise malformed("it is nested too deeply") from error
    except ValueError as error:  # Python's own limit on the digits of a whole number
        raise malformed("a number has too many digits") from error


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object as a dict. Raises Problem for a duplicate name, or for too many members."""
    if len(pairs) > MOST_MEMBERS:
        raise malformed(f"an object has more than {MOST_MEMBERS} members")
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)[:100]
        twice = twice.encode("utf-8", "backslashreplace").decode()
        detail = f"The field `{twice}` occurs more than once."
        error = FieldError(param=twice, code="duplicate_field", message=detail)
        raise Problem(ProblemCode.MALFORMED_REQUEST, detail, param=twice, errors=[error])
    return members


def refuse_constant(name: str) -> NoReturn:
    """Raise Problem for NaN and Infinity, which JSON does not allow."""
    raise malformed(f"{name} is not a JSON number")


def finite_float(text: str) -> float:
    """The number as a float. Raises Problem if it is too large for one."""
    number = float(text)
    if not math.isfinite(number):
        raise malformed("a number is too large")
    return number


def malformed(reason: str) -> Problem:
    """Problem of a body that is not valid JSON."""
    detail = f"The body is not well-formed JSON: {reason}."
    error = FieldError(param="body", code="json_invalid", message=detail)
    return Problem(ProblemCode.MALFORMED_REQUEST, detail, param="body", errors=[error])
