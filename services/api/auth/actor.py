"""Who makes the current request: known to everything that runs for it, without being passed on."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from starlette.types import Scope

from services.api.auth.api_keys import Caller
from services.api.process.acting import as_project


@dataclass(frozen=True)
class Actor:
    """The caller of a request, and the request."""

    caller: Caller
    scope: Scope


CURRENT: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting(caller: Caller, scope: Scope) -> Generator[None]:
    """The caller makes the request that the block answers, which works for the caller's project."""
    token = CURRENT.set(Actor(caller, scope))
    try:
        with as_project(caller.project_id):
            yield
    finally:
        CURRENT.reset(token)


def current_project() -> UUID | None:
    """The project that the current request belongs to; None outside of requests with a key."""
    actor = CURRENT.get()
    return None if actor is None else actor.caller.project_id


def current_actor() -> Actor | None:
    """Who makes the current request; None outside of requests with a key."""
    return CURRENT.get()
