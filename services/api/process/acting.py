"""For whom the current task reads and writes: for one project, or for the platform with a purpose.

Each transaction of the gateway belongs to one of them (`shared.walls`). A transaction of a project sees this
project alone, so the platform's purposes are few, and each says why it has to see more.
"""

from contextvars import ContextVar, Token
from enum import Enum
from types import TracebackType
from uuid import UUID


class Purpose(Enum):
    """A task of the platform that needs the rows of several projects."""

    AUTHENTICATION = "find the project of an API key, before it is known"
    ADMINISTRATION = "requests with the scope admin, about all projects, keys and changes"
    PROBES = "readiness: whether the database answers and takes writes"
    METRICS = "figures of all queues, workers and webhooks"
    EVENTS = "one reader of new events for the streams of all projects"
    BATCHES = "take the batch of any project that has waited longest"
    FILES = "find files of any project that have expired"
    PROVENANCE = "whether any project has drawn a picture; only one's own ones are named"
    LINKS = "check the signature of an address, before its project is known"


CURRENT: ContextVar[UUID | Purpose | None] = ContextVar("acting", default=None)


class Acting:
    """The block works for a project or for a purpose. For `with` and for `async with`."""

    def __init__(self, who: UUID | Purpose) -> None:
        self._who = who
        self._token: Token[UUID | Purpose | None] | None = None

    def __enter__(self) -> None:
        self._token = CURRENT.set(self._who)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def as_project(project_id: UUID) -> Acting:
    """The block works for a project, and sees nothing of others."""
    return Acting(project_id)


def as_platform(purpose: Purpose) -> Acting:
    """The block works for the platform, and sees all projects."""
    return Acting(purpose)


def acting_project() -> UUID | None:
    """The project that the current task works for; None for the platform. Raises RuntimeError."""
    who = CURRENT.get()
    if who is None:
        raise RuntimeError("a transaction needs as_project or as_platform")
    return who if isinstance(who, UUID) else None
