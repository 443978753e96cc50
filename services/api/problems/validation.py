"""Validation errors of Pydantic as one problem that lists the faulty fields."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from services.api.problems.codes import Problem, ProblemCode
from shared.field_errors import BODY, explain_faults


def validation_problem(faults: Iterable[Mapping[str, Any]], model: type[BaseModel] | None = None) -> Problem:
    """The problem of a request with invalid JSON or invalid fields. model: the schema of its body."""
    detail, errors = explain_faults(faults, model)
    if any(error.code == "json_invalid" for error in errors):
        return Problem(ProblemCode.MALFORMED_REQUEST, "The body is not well-formed JSON.", BODY, errors)
    return Problem(ProblemCode.INVALID_REQUEST, detail, param=errors[0].param, errors=errors)
