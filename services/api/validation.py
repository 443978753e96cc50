"""Pydantic's findings as a problem that names every faulty part of the request."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.api.problems import FieldError, Problem, ProblemCode

REQUEST_PARTS = {"body", "query", "path", "header"}


def validation_problem(faults: Iterable[Mapping[str, Any]]) -> Problem:
    """Pydantic's list of errors as one problem. Values are left out: they may be long, or secret."""
    found = list(faults)
    errors = [field_error(fault) for fault in found]
    if any(error.code == "json_invalid" for error in errors):
        return Problem(ProblemCode.MALFORMED_REQUEST, "The body is not well-formed JSON.", errors=errors)
    first = errors[0]
    detail = f"{first.param}: {first.message}" if path_of(found[0]) else first.message
    return Problem(ProblemCode.INVALID_REQUEST, detail, param=first.param or None, errors=errors)


def path_of(fault: Mapping[str, Any]) -> str:
    """Where the fault is, without the part of the request in front; empty for one between several fields."""
    place = [str(step) for step in fault["loc"]]
    return ".".join(place[1:] if place and place[0] in REQUEST_PARTS else place)


def field_error(fault: Mapping[str, Any]) -> FieldError:
    """One of Pydantic's errors; for one between several fields the schema names the field to look at."""
    param = path_of(fault) or str(fault.get("ctx", {}).get("param", ""))
    message = str(fault["msg"]).removeprefix("Value error, ")
    return FieldError(param=printable(param), code=str(fault["type"]), message=printable(message))


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates of the client's JSON) written out."""
    return text.encode("utf-8", "backslashreplace").decode()
