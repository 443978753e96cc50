"""Delete an ended job: the files of its pictures first, then its rows; its usage stays.

The pictures are claimed in a first transaction, the rows are deleted in a second one; neither waits for the
storage. If the storage or this process fails in between, the io worker deletes the files, and the
request can be repeated.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.in_session import refuse_session_job
from services.api.jobs.repository import no_such_job
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.job_store.removal import Removal, begin_removal
from shared.jobs import FINAL_STATES, JobState
from shared.tables import Candidate, Image, Job, UndecodedPicture


async def delete_job(gateway: Gateway, caller: Caller, job_id: UUID) -> None:
    """Delete the job with its pictures, events, checkpoint and webhook deliveries. Raises Problem."""
    async with gateway.database.transaction() as session:
        removals = await session.run_sync(claim_pictures, caller.project_id, job_id)
    for removal in removals:
        for key in removal.keys:
            await gateway.storage.delete(key)
    async with gateway.database.transaction() as session:
        await session.run_sync(delete_rows, caller.project_id, job_id)


def claim_pictures(session: Session, project_id: UUID, job_id: UUID) -> list[Removal]:
    """Claim the files of the job's pictures. Raises Problem."""
    return begin_removal(session, lock_pictures(session, project_id, job_id))


def lock_pictures(session: Session, project_id: UUID, job_id: UUID) -> Sequence[Image]:
    """Lock the ended job and its pictures, so that no session can begin with them. Raises Problem.

    Its undecoded pictures are locked before the job: a worker that adds one locks both in this order.
    """
    mine = (Job.id == job_id, Job.project_id == project_id)
    if session.scalars(select(Job.id).where(*mine)).first() is None:
        raise no_such_job()
    session.scalars(select(UndecodedPicture).where(UndecodedPicture.job_id == job_id).with_for_update()).all()
    job = session.scalars(
        select(Job).where(*mine).with_for_update().execution_options(populate_existing=True)
    ).first()
    if job is None:
        raise no_such_job()
    children = select(Job.id).where(Job.blocked_by == job_id).limit(1)
    if JobState(job.state) not in FINAL_STATES or session.scalars(children).first() is not None:
        raise Problem(
            ProblemCode.JOB_NOT_ENDED,
            f"The job is {job.state}, or another job waits for its picture: cancel it, and delete it when it "
            "has ended.",
            param="job_id",
        )
    pictures = select(Candidate.image_id).where(Candidate.job_id == job_id)
    images = session.scalars(select(Image).where(Image.id.in_(pictures)).with_for_update()).all()
    refuse_session_job(session, job_id)
    return images


def delete_rows(session: Session, project_id: UUID, job_id: UUID) -> None:
    """Delete the rows of the job and of its pictures. The usage record refers to no row and stays.

    Raises Problem if a session has begun with one of the pictures since their files were claimed.
    """
    image_ids = [image.id for image in lock_pictures(session, project_id, job_id)]
    session.execute(delete(Job).where(Job.id == job_id).execution_options(synchronize_session=False))
    session.execute(delete(Image).where(Image.id.in_(image_ids)).execution_options(synchronize_session=False))
