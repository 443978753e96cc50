"""From a validated request to the job that is stored: pure decisions."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.api.problems import Problem, ProblemCode
from shared.job_store import NewJob
from shared.schemas.jobs import JobRequest

SEED_LIMIT = 2**53
"""Chosen seeds stay below it: JavaScript reads larger numbers wrongly, and would repeat another picture."""


def choose_seed() -> int:
    """A seed for a request that names none."""
    return secrets.randbelow(SEED_LIMIT)


def complete_request(request: JobRequest, seed: int) -> JobRequest:
    """The request with its seed and with deadlines in UTC. Raises Problem for what PostgreSQL cannot hold."""
    for path, text in texts(request.model_dump(mode="json", exclude={"image", "mask"})):
        if "\0" in text:
            raise invalid(path, "The character U+0000 is not allowed.")
    return request.model_copy(
        update={
            "seed": seed if request.seed is None else request.seed,
            "start_by": in_utc("start_by", request.start_by),
            "finish_by": in_utc("finish_by", request.finish_by),
        }
    )


def invalid(param: str, detail: str) -> Problem:
    """The refusal of one field."""
    return Problem(ProblemCode.INVALID_REQUEST, f"{param}: {detail}", param=param)


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, keys included, with the path of the field that holds it."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, inner in value.items():
                yield path, key
                yield from texts(inner, f"{path}.{key}" if path else key)
        case list():
            for index, inner in enumerate(value):
                yield from texts(inner, f"{path}.{index}")
        case _:
            return


def in_utc(name: str, time: datetime | None) -> datetime | None:
    """The time in UTC. Raises Problem for one whose offset leads out of the calendar."""
    try:
        return None if time is None else time.astimezone(UTC)
    except OverflowError as error:
        raise invalid(name, "The time lies outside the years 1 to 9999.") from error


def new_job(project_id: UUID, request: JobRequest, max_failures: int) -> NewJob:
    """The row to insert for a completed request."""
    return NewJob(
        project_id=project_id,
        queue=request.queue,
        task=request.task.value,
        request=request.model_dump(mode="json"),
        max_failures=max_failures,
        candidates=request.n,
        priority=request.priority,
        start_by=request.start_by,
        finish_by=request.finish_by,
        model=request.model,
    )
