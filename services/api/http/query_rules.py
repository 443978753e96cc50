"""Refuse unknown or repeated query parameters: an ignored filter would list the wrong jobs."""

from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from services.api.problems.codes import Problem, ProblemCode
from shared.problem_documents import FieldError
from shared.spelling import no_such_name


def query_names(dependant: Dependant) -> dict[str, bool]:
    """Names of a route's query parameters; True for those that may be repeated."""
    found = {field.alias: is_list(field.field_info.annotation) for field in dependant.query_params}
    for inner in dependant.dependencies:
        found |= query_names(inner)
    return found


def is_list(annotation: Any) -> bool:
    """Whether the annotation is a list, possibly optional."""
    return any(get_origin(kind) is list for kind in (annotation, *get_args(annotation)))


async def refuse_unknown_query(request: Request) -> None:
    """Raise Problem for an unknown or repeated parameter, with the most similar known name."""
    if not request.query_params:
        return
    route = request.scope["route"]
    known = query_names(route.dependant) if isinstance(route, APIRoute) else {}
    for name in request.query_params:
        if name not in known:
            raise invalid_query(name, "unknown_parameter", no_such_name("query parameter", name, known))
        if not known[name] and len(request.query_params.getlist(name)) > 1:
            raise invalid_query(name, "repeated_parameter", f"`{name}` may be given only once.")


def invalid_query(name: str, code: str, detail: str) -> Problem:
    """Problem of one query parameter."""
    error = FieldError(param=name[:100], code=code, message=detail)
    return Problem(ProblemCode.INVALID_REQUEST, detail, param=error.param, errors=[error])
