"""Create claimed jobs without a database, and run calls in threads that a test can wait for."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy.exc import OperationalError

from services.worker.claiming.attempts import Attempt
from shared.job_store import ClaimedJob, Lease
from shared.jobs import Queue

WAIT_SECONDS = 30.0
"""Limit of a wait; no call in these tests takes as long on a busy machine."""
NEVER_SECONDS = 0.05
"""Time for which a test checks that something does not happen."""

Value = TypeVar("Value")


def claimed_job(project_id: UUID | None = None, *, attempt: int = 1, **more: Any) -> ClaimedJob:
    """Create a job that a worker has just claimed."""
    values: dict[str, Any] = {
        "queue": Queue.GENERATE,
        "task": "text_to_image",
        "request": {"prompt": "a ball", "size": "64x64", "seed": 1},
        "checkpoint": None,
        "finish_by": None,
    }
    return ClaimedJob(lease=Lease(uuid4(), attempt), project_id=project_id or uuid4(), **values | more)


def database_is_away() -> OperationalError:
    """What a call raises while PostgreSQL does not answer."""
    return OperationalError("SELECT 1", {}, Exception("connection refused"))


def new_attempt() -> Attempt:
    """Create an attempt at a new job."""
    return Attempt(claimed_job())


def in_thread(call: Callable[[], Value]) -> "Future[Value]":
    """Run the call in a thread; the future has its value or its error."""
    future: Future[Value] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised again where the test asks for the result)
            future.set_exception(error)

    Thread(target=run, name="test", daemon=True).start()
    return future
