"""Methods that a path supports, and the message for an unknown path."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Match

from shared.links import IMPORT_PATH

if TYPE_CHECKING:
    from starlette.types import Scope

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OWN_METHODS = {IMPORT_PATH: ["POST"]}
"""Methods of paths that also match a path with a parameter, whose methods are not theirs."""


def methods_of(routes: Sequence[BaseRoute], path: str) -> list[str]:
    """Methods that the path supports; HEAD is among them if GET is."""
    if path in OWN_METHODS:
        return OWN_METHODS[path]
    found = [method for method in METHODS if answers(routes, path, method)]
    return ["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found


def answers(routes: Sequence[BaseRoute], path: str, method: str) -> bool:
    """Whether a route matches this path and method."""
    scope: Scope = {"type": "http", "path": path, "root_path": "", "method": method, "headers": []}
    return any(route.matches(dict(scope))[0] is Match.FULL for route in routes)


def unknown_path(routes: Sequence[BaseRoute], path: str) -> str:
    """The detail of a 404; it names the path without a final slash if that exists.

    A redirect is not sent, because its address would be built from the client's Host header.
    """
    shorter = path.rstrip("/")
    if shorter and shorter != path and methods_of(routes, shorter):
        return f"This path does not exist; leave out the slash at the end: {shorter[:200]}"
    return "This path does not exist."
