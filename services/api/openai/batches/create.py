"""Order a batch, and cancel one."""

from uuid import UUID

from sqlalchemy import func, insert
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.openai.batches.repository import find_batch
from services.api.openai.batches.schemas import BatchRequest
from services.api.openai.files.repository import find_file, parse_file_id
from services.api.openai.files.store import BATCH
from services.api.problems.codes import Problem, ProblemCode
from shared.job_store.clock import time_after
from shared.tables import BatchState, OpenAIBatch

CANCELLABLE = frozenset({BatchState.VALIDATING, BatchState.IN_PROGRESS})


def create_batch(session: Session, caller: Caller, asked: BatchRequest) -> OpenAIBatch:
    """Insert the batch; its file is read afterwards. Raises Problem if there is no such file."""
    try:
        file = find_file(session, caller.project_id, parse_file_id(asked.input_file_id))
    except Problem as problem:
        raise wrong_file(problem.detail) from problem
    if file.purpose != BATCH:
        raise wrong_file(f"The file has the purpose `{file.purpose[:64]}`, not `{BATCH}`.")
    statement = (
        insert(OpenAIBatch)
        .values(
            project_id=caller.project_id,
            key_id=caller.key_id,
            endpoint=asked.endpoint,
            input_file_id=file.id,
            completion_window=asked.completion_window,
            details=asked.metadata,
            expires_at=time_after(asked.window_seconds),
        )
        .returning(OpenAIBatch)
    )
    return session.scalars(statement).one()


def cancel_batch(session: Session, project_id: UUID, batch_id: UUID) -> OpenAIBatch:
    """Let the batch end with what is done; one that ends already is returned unchanged. Raises Problem."""
    batch = find_batch(session, project_id, batch_id, lock=True)
    if batch.state in CANCELLABLE:
        batch.state = BatchState.CANCELLING.value
        batch.ending = BatchState.CANCELLED.value
        batch.cancelling_at = batch.due_at = func.clock_timestamp()
        session.flush()
        session.refresh(batch)
    return batch


def wrong_file(detail: str) -> Problem:
    """Problem of an input file that cannot be used."""
    return Problem(ProblemCode.INVALID_REQUEST, f"input_file_id: {detail}", param="input_file_id")
