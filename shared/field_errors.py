"""Validation errors of Pydantic as entries of a problem document, one for each faulty field."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel

from shared.problem_documents import FieldError
from shared.spelling import no_such_name

REQUEST_PARTS = {"body", "query", "path", "header"}
MOST_ERRORS = 20
LONGEST_NAME = 100
LONGEST_MESSAGE = 300
BODY = "body"
"""`param` of an error that concerns the body as a whole."""


def explain_faults(
    faults: Iterable[Mapping[str, Any]], model: type[BaseModel] | None = None
) -> tuple[str, list[FieldError]]:
    """A sentence about the first of Pydantic's errors, and an entry for each, at most MOST_ERRORS of them.

    If the model is known, the message for an unknown field suggests the most similar name. Values are left
    out: they may be long or secret.
    """
    found = list(islice(faults, MOST_ERRORS))
    errors = [field_error(fault, model) for fault in found]
    first = errors[0]
    return f"{first.param}: {first.message}" if path_of(found[0]) else first.message, errors


def path_of(fault: Mapping[str, Any]) -> str:
    """Dotted path of the faulty field without `body`, `query` and so on; empty if several fields conflict."""
    return ".".join(map(str, steps_of(fault)))


def steps_of(fault: Mapping[str, Any]) -> Sequence[str | int]:
    """Steps of the path to the faulty field. Pydantic's `[key]`, its mark of a faulty key, is left out."""
    place = [step for step in fault["loc"] if step != "[key]"]
    return place[1:] if place and place[0] in REQUEST_PARTS else place


def field_error(fault: Mapping[str, Any], model: type[BaseModel] | None = None) -> FieldError:
    """One of Pydantic's errors. For a conflict of several fields, its context has the `param` to name."""
    param = path_of(fault) or str(fault.get("ctx", {}).get("param", "")) or BODY
    message = str(fault["msg"]).removeprefix("Value error, ")
    steps = steps_of(fault)
    if fault["type"] == "extra_forbidden" and steps:
        message = no_such_name("field", str(steps[-1]), field_names(model, steps[:-1]))
    return FieldError(
        param=cut(printable(param), LONGEST_NAME),
        code=str(fault["type"]),
        message=cut(printable(message), LONGEST_MESSAGE),
    )


def field_names(model: type[BaseModel] | None, steps: Sequence[str | int]) -> list[str]:
    """Field names of the model, or of the nested model at the end of the path."""
    for step in steps:
        field = model.model_fields.get(str(step)) if model else None
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return list(model.model_fields) if model else []


def cut(text: str, length: int) -> str:
    """The text, shortened to at most `length` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."


def printable(text: str) -> str:
    """The text with escapes in place of lone surrogates, which JSON may contain but UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode()
