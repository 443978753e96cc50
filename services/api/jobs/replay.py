"""Replay a finished job: draw it again as a new job and compare the codes."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.idempotency import request_fingerprint
from services.api.jobs.once import FirstAnswer
from services.api.jobs.repository import read_job
from services.api.jobs.retry import request_of
from services.api.jobs.submit import Order, job_receipt, submit
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.job_view.view import JobRows
from shared.jobs import JobState
from shared.links import job_path


async def replay_job(gateway: Gateway, caller: Caller, job_id: UUID, key: str | None) -> FirstAnswer:
    """Queue the request of a finished job again, or return the answer of an earlier call with this key.

    Any numerics identity may draw it, unless the request names one; the new job sends no webhook of the
    request. Raises Problem.
    """
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_replayable, caller.project_id, job_id)
    order = Order(
        request_of(rows).model_copy(update={"webhook": None}),
        lambda: request_fingerprint("POST", f"{job_path(job_id)}/replay", {}),
        job_receipt(gateway.settings.gateway.public_url),
        replay_of=job_id,
    )
    return await submit(gateway, caller, order, key)


def read_replayable(session: Session, project_id: UUID, job_id: UUID) -> JobRows:
    """The job, if it ended with pictures. Raises Problem."""
    rows = read_job(session, project_id, job_id)
    if JobState(rows.job.state) is not JobState.SUCCEEDED:
        raise Problem(
            ProblemCode.JOB_NOT_REPLAYABLE,
            f"The job is {rows.job.state}; only succeeded jobs have pictures to compare with.",
            param="job_id",
        )
    return rows
