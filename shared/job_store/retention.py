"""How long a project keeps what: its own retention, or else the platform's; and what is older than that."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, and_, delete, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.ids import IdKind, MalformedIdError, parse_id
from shared.job_store.clock import database_time
from shared.jobs import ACTIVE_STATES, FINAL_STATES, JobState
from shared.settings import FOR_EVER, RetentionSettings
from shared.tables import Checkpoint, Image, ImageOrigin, Job, JobRequestRow, Project


class Kept(StrEnum):
    """What has a retention."""

    UPLOADS = "uploads"
    RESULTS = "results"
    PREVIEWS = "previews"
    EVENTS = "events"
    CHECKPOINTS = "checkpoints"


COLUMNS: Mapping[Kept, InstrumentedAttribute[int | None]] = {
    Kept.UPLOADS: Project.retain_uploads_seconds,
    Kept.RESULTS: Project.retain_results_seconds,
    Kept.PREVIEWS: Project.retain_previews_seconds,
    Kept.EVENTS: Project.retain_events_seconds,
    Kept.CHECKPOINTS: Project.retain_checkpoints_seconds,
}


def platform_seconds(kept: Kept, retention: RetentionSettings) -> int:
    """The platform's retention, for projects without one of their own; -1 means for ever."""
    return {
        Kept.UPLOADS: retention.uploads_seconds,
        Kept.RESULTS: retention.results_seconds,
        Kept.PREVIEWS: retention.previews_seconds,
        Kept.EVENTS: retention.events_seconds,
        Kept.CHECKPOINTS: retention.checkpoints_seconds,
    }[kept]


def seconds_of(kept: Kept, retention: RetentionSettings) -> ColumnElement[int]:
    """The retention of the project in the same row; -1 means for ever."""
    return func.coalesce(COLUMNS[kept], literal(platform_seconds(kept, retention), BigInteger()))


def cutoff(kept: Kept, retention: RetentionSettings) -> ColumnElement[datetime]:
    """The time before which things of the project in the same row are too old."""
    return database_time() - seconds_of(kept, retention) * literal(timedelta(seconds=1))


def too_old(
    since: ColumnElement[datetime] | InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    kept: Kept,
    retention: RetentionSettings,
) -> ColumnElement[bool]:
    """Whether a thing since that time is too old for the project in the same row."""
    return and_(seconds_of(kept, retention) >= 0, since <= cutoff(kept, retention))


def expiry_of(session: Session, image: Image, retention: RetentionSettings) -> datetime | None:
    """When a picture expires: by its own date, or by its age; None for never."""
    if image.expires_at is not None:
        return image.expires_at
    kept = Kept.UPLOADS if image.origin == ImageOrigin.UPLOADED else Kept.RESULTS
    return date_after(session, image, kept, retention)


def date_after(session: Session, image: Image, kept: Kept, retention: RetentionSettings) -> datetime | None:
    """The time of the picture's upload or drawing, plus a retention of its project; None for never."""
    own = session.scalar(select(COLUMNS[kept]).where(Project.id == image.project_id))
    seconds = platform_seconds(kept, retention) if own is None else own
    return None if seconds == FOR_EVER else image.created_at + timedelta(seconds=seconds)


def delete_old_checkpoints(session: Session, retention: RetentionSettings) -> None:
    """Delete the saved codes of ended jobs, after the retention of checkpoints."""
    old = (
        select(Job.id)
        .join(Project, Project.id == Job.project_id)
        .where(
            Job.id == Checkpoint.job_id,
            Job.state.in_(sorted(FINAL_STATES)),
            too_old(Job.finished_at, Kept.CHECKPOINTS, retention),
        )
    )
    session.execute(delete(Checkpoint).where(old.exists()).execution_options(synchronize_session=False))


def open_inputs(session: Session) -> set[UUID]:
    """The pictures that jobs need which wait or run: they must not expire by their age."""
    image, mask = JobRequestRow.request["image"].astext, JobRequestRow.request["mask"].astext
    waiting = and_(Job.state == JobState.QUEUED.value, Job.blocked_by.is_(None))
    statement = (
        select(image, mask)
        .join(Job, Job.id == JobRequestRow.job_id)
        .where(or_(waiting, Job.state.in_(sorted(ACTIVE_STATES))), or_(image.is_not(None), mask.is_not(None)))
    )
    found: set[UUID] = set()
    for sources in session.execute(statement):
        for source in sources:
            try:
                found.add(parse_id(IdKind.IMAGE, source or ""))
            except MalformedIdError:
                continue  # a data URL or the id of a job
    return found
