"""Jobs that wait for the first picture of another job, their parent.

A child is queued with `blocked_by`, and no worker claims it. The transaction that ends the parent starts the
child, or cancels it if the parent has no picture (`transitions.cancel_children`).
"""

from uuid import UUID

from sqlalchemy import ColumnElement, cast, null, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, aliased

from shared.errors import LuminaryError
from shared.ids import IdKind, format_id
from shared.job_store.transitions import cancel_children
from shared.jobs import FINAL_STATES, JobState
from shared.tables import Candidate, Job, JobRequestRow, Turn


class NoPictureError(LuminaryError):
    """The parent does not exist in the project, or has ended without a picture."""

    code = "no_picture"
    hint = "Start from a job that has a picture, or that still runs."


def lock_parent(session: Session, project_id: UUID, parent: UUID) -> UUID | None:
    """The image id of the parent's first picture; None while the parent has not ended.

    The parent cannot end before this transaction does, so it will see the child. Raises NoPictureError.
    """
    job = session.scalars(
        select(Job)
        .where(Job.id == parent, Job.project_id == project_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).first()
    if job is None:
        raise NoPictureError("There is no job with this id.")
    if job.state not in FINAL_STATES:
        return None
    picture = first_candidate(session, parent)
    if picture is None:
        raise NoPictureError("The job has ended without a picture.")
    return picture.image_id


def first_candidate(session: Session, job_id: UUID) -> Candidate | None:
    """The job's first candidate; None if it has no picture."""
    candidates = select(Candidate).where(Candidate.job_id == job_id).order_by(Candidate.position)
    return session.scalars(candidates.limit(1)).first()


def start_children(session: Session, parent: UUID) -> None:
    """Let the children start, with the parent's first picture as their image.

    Called in the transaction that ends the parent, after its candidates were written.
    """
    children = list(session.scalars(select(Job.id).where(Job.blocked_by == parent).with_for_update()))
    if not children:
        return
    picture = first_candidate(session, parent)
    if picture is None:
        cancel_children(session, [parent])
        return
    image = cast({"image": format_id(IdKind.IMAGE, picture.image_id)}, JSONB)
    execute = {"synchronize_session": False}
    session.execute(
        update(JobRequestRow)
        .where(JobRequestRow.job_id.in_(children))
        .values(request=JobRequestRow.request.op("||")(image)),
        execution_options=execute,
    )
    session.execute(
        update(Turn).where(Turn.job_id.in_(children)).values(parent_candidate_id=picture.id),
        execution_options=execute,
    )
    session.execute(
        update(Job).where(Job.id.in_(children)).values(blocked_by=null()), execution_options=execute
    )


def settle_overlooked_children(session: Session) -> None:
    """Start or cancel children whose parent has ended without doing so.

    A worker of an earlier version, which knows no children, may have ended the parent.
    """
    parent = aliased(Job)
    ended: ColumnElement[bool] = parent.state.in_(sorted(FINAL_STATES))
    overlooked = select(parent.id, parent.state).join(Job, Job.blocked_by == parent.id).where(ended)
    for job_id, state in session.execute(overlooked.distinct()).all():
        if state == JobState.SUCCEEDED:
            start_children(session, job_id)
        else:
            cancel_children(session, [job_id])
