"""Queue jobs for the next requests of a batch, of low priority, and each exactly once.

The transaction that queues a job also writes it into the line of its request. A batch has a limited number of
open jobs, so that it neither fills the project's limit of waiting jobs nor the memory.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.idempotency import RecordedAnswer
from services.api.jobs.submit import Order, submit
from services.api.openai.batches.line_errors import describe_problem
from services.api.openai.batches.requests import request_of
from services.api.openai.batches.steps import BatchLostError, TakenBatch, write
from services.api.openai.files.parts import read_range
from services.api.openai.files.repository import find_file
from services.api.openai.images.receipt import receipt
from services.api.openai.wire.routing import as_openai
from services.api.problems.codes import Problem
from services.api.process.gateway import Gateway
from shared.tables import Job, LineState, OpenAIBatchLine, OpenAIFile

MOST_OPEN = 100
"""Jobs of one batch that wait or run; at most half of the project's limit of waiting jobs."""
AT_ONCE = 20
"""Requests that one step submits."""


@dataclass(frozen=True)
class Submitted:
    """What a step has done. is_blocked: whether the platform takes no more at the moment."""

    count: int
    is_blocked: bool


async def submit_lines(gateway: Gateway, caller: Caller, batch: TakenBatch) -> Submitted:
    """One step: submit the next requests. Raises BatchLostError, StorageError or database errors."""
    limit = caller.limits.queued_jobs or gateway.settings.gateway.max_queued_jobs
    most = max(1, min(MOST_OPEN, limit // 2))
    async with gateway.database.transaction() as session:
        file, lines = await session.run_sync(next_lines, batch, most)
    for count, line in enumerate(lines):
        try:
            await submit_line(gateway, caller, batch, file, line)
        except Problem as problem:
            if is_temporary(problem):
                return Submitted(count, is_blocked=True)
            async with gateway.database.transaction() as session:
                await session.run_sync(fail_line, batch, line, problem)
    return Submitted(len(lines), is_blocked=False)


def next_lines(
    session: Session, batch: TakenBatch, most_open: int
) -> tuple[OpenAIFile, list[OpenAIBatchLine]]:
    """The input file, and the lines to submit now. Raises BatchLostError, or Problem without the file."""
    write(session, batch)
    of_batch = OpenAIBatchLine.batch_id == batch.row.id
    is_open = OpenAIBatchLine.state == LineState.QUEUED.value
    count = session.scalars(select(func.count()).where(of_batch, is_open)).one()
    statement = (
        select(OpenAIBatchLine)
        .where(of_batch, OpenAIBatchLine.state == LineState.WAITING.value)
        .order_by(OpenAIBatchLine.number)
        .limit(max(0, min(AT_ONCE, most_open - count)))
    )
    file = find_file(session, batch.row.project_id, batch.row.input_file_id)
    return file, list(session.scalars(statement))


async def submit_line(
    gateway: Gateway, caller: Caller, batch: TakenBatch, file: OpenAIFile, line: OpenAIBatchLine
) -> None:
    """Queue the job of one request. Raises Problem, BatchLostError or StorageError."""
    text = await read_range(gateway, file, line.start, line.size)
    request = await request_of(gateway, caller, batch.row, text)

    def bind(session: Session, job: Job) -> RecordedAnswer:
        write(session, batch)
        change_line(session, line, state=LineState.QUEUED.value, job_id=job.id)
        return receipt(session, job)

    await submit(gateway, caller, Order(request, no_fingerprint, bind), None)


def no_fingerprint() -> bytes:
    """A request without an idempotency key needs none: the line is the key."""
    raise RuntimeError("not called without a key")


def change_line(session: Session, line: OpenAIBatchLine, **values: Any) -> None:
    """Change a waiting line. Raises BatchLostError if it is not waiting any more."""
    statement = (
        update(OpenAIBatchLine)
        .where(
            OpenAIBatchLine.batch_id == line.batch_id,
            OpenAIBatchLine.number == line.number,
            OpenAIBatchLine.state == LineState.WAITING.value,
        )
        .values(**values)
        .returning(OpenAIBatchLine.number)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).first() is None:
        raise BatchLostError


def fail_line(session: Session, batch: TakenBatch, line: OpenAIBatchLine, problem: Problem) -> None:
    """Note why a request is refused. Raises BatchLostError."""
    row = write(session, batch)
    change_line(session, line, state=LineState.FAILED.value, error=describe_problem(as_openai(problem)))
    write(session, batch, failed=row.failed + 1)


def is_temporary(problem: Problem) -> bool:
    """Whether the same request may be accepted later: limits, outages."""
    return problem.retryable or problem.kind.status in {429, 503}
