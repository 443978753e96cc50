"""Limits of what a project keeps and draws: bytes, pictures of a day, and when its next job starts."""

import math
from datetime import timedelta
from uuid import UUID

from sqlalchemy import DateTime, func, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Limits
from services.api.problems.codes import Problem, ProblemCode
from shared.job_store.clock import database_time
from shared.tables import Image, Job

DAY = timedelta(days=1)
DAY_START = func.date_trunc("day", database_time(), "UTC", type_=DateTime(timezone=True))
STARTS = 50
"""The last started jobs of a project, from which the time until its next start is measured."""
USUAL_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 10, 600


def check_storage(session: Session, project_id: UUID, limits: Limits) -> None:
    """Raise Problem if the project's kept pictures have as many bytes as they may have."""
    most = limits.storage_bytes
    if most is None:
        return
    kept = (Image.project_id == project_id, Image.deleted_at.is_(None), Image.removing_until.is_(None))
    used = session.scalars(select(func.coalesce(func.sum(Image.byte_size), 0)).where(*kept)).one()
    if used >= most:
        raise Problem(
            ProblemCode.STORAGE_QUOTA_REACHED,
            f"The pictures of the project have {used} bytes; {most} is its limit.",
        )


def check_pictures(session: Session, project_id: UUID, limits: Limits, wanted: int) -> None:
    """Raise Problem if today's jobs ask for too many pictures with `wanted` more.

    Exact only while the project's lock is held.
    """
    most = limits.pictures_per_day
    if most is None:
        return
    today = (Job.project_id == project_id, Job.id > func.uuidv7(-DAY), Job.created_at >= DAY_START)
    asked, rest = session.execute(
        select(
            func.coalesce(func.sum(Job.candidates), 0),
            func.ceil(func.extract("epoch", DAY_START + DAY - database_time())),
        ).where(*today)
    ).one()
    if asked + wanted > most:
        raise Problem(
            ProblemCode.TOO_MANY_PICTURES,
            f"Today's jobs of the project ask for {asked} pictures; {most} is its limit of a day (UTC).",
            headers={"Retry-After": str(int(rest))},
        )


def seconds_until_start(session: Session, project_id: UUID) -> int:
    """Seconds until another job of the project starts, by the pace of its last starts."""
    last = (
        select(Job.started_at)
        .where(Job.project_id == project_id, Job.started_at.is_not(None), Job.id > func.uuidv7(-DAY))
        .order_by(Job.id.desc())
        .limit(STARTS)
        .subquery("last")
    )
    age = func.extract("epoch", database_time() - func.min(last.c.started_at))
    seconds, starts = session.execute(select(age, func.count()).select_from(last)).one()
    if not starts:
        return USUAL_RETRY_SECONDS
    return min(LONGEST_RETRY_SECONDS, max(1, math.ceil(float(seconds) / starts)))
