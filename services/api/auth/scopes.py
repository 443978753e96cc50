"""Scopes: what an API key may do. The method and the path of a request say which ones allow it."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Literal

from services.api.problems.codes import Problem, ProblemCode


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Read jobs, pictures, sessions, events and usage of the key's project."""
    WRITE = "write"
    """Queue, cancel and delete jobs; upload pictures; change sessions."""
    WEBHOOKS = "webhooks"
    """Read and change webhook endpoints, with their secrets."""
    ADMIN = "admin"
    """Read and change all projects and keys; read usage and the audit log of all projects."""


ScopeName = Literal["read", "write", "webhooks", "admin"]
USUAL_SCOPES = (Scope.READ, Scope.WRITE, Scope.WEBHOOKS)
"""Scopes of a key for which none are named."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
ADMINISTRATION = ("/v1/api_keys", "/v1/projects")
SHARED = ("/v1/projects", "/v1/audit_log", "/v1/usage")
"""Paths that show a key of one project this project, and an administrator all."""
WEBHOOKS = "/v1/webhook_endpoints"
TOOLS = "/mcp"
"""Path of tools, each of which checks the scope that it needs itself."""


def is_below(path: str, prefix: str) -> bool:
    """Whether the path is the prefix, or continues it after a slash."""
    return path == prefix or path.startswith(f"{prefix}/")


def allowing_scopes(method: str, path: str) -> tuple[Scope, ...]:
    """The scopes of which a key needs one for the request."""
    if method in READING and any(is_below(path, prefix) for prefix in SHARED):
        return Scope.READ, Scope.ADMIN
    if any(is_below(path, prefix) for prefix in ADMINISTRATION):
        return (Scope.ADMIN,)
    if is_below(path, TOOLS):
        return Scope.READ, Scope.WRITE
    if is_below(path, WEBHOOKS):
        return (Scope.WEBHOOKS,)
    return (Scope.READ,) if method in READING else (Scope.WRITE,)


def check_scopes(scopes: Collection[Scope], method: str, path: str) -> None:
    """Raise Problem if a key with these scopes may not make the request."""
    require_scope(scopes, allowing_scopes(method, path))


def require_scope(scopes: Collection[Scope], allowing: Sequence[Scope]) -> None:
    """Raise Problem if a key with these scopes has none of those that allow the request."""
    if not any(scope in scopes for scope in allowing):
        names = " or ".join(f"`{scope}`" for scope in allowing)
        raise Problem(
            ProblemCode.INSUFFICIENT_SCOPE,
            f"This request needs an API key with the scope {names}.",
            param="Authorization",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{allowing[0]}"'},
        )
