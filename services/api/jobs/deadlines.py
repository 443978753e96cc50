"""Refuse deadlines in the past: the job could only expire."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from shared.job_store.clock import database_time
from shared.problem_documents import FieldError
from shared.schemas.jobs import JobRequest


def check_deadlines(session: Session, request: JobRequest) -> None:
    """Raise Problem for a deadline in the past, by the database's clock."""
    now = session.scalars(select(database_time())).one()
    for name, time in (("start_by", request.start_by), ("finish_by", request.finish_by)):
        if time is not None and time <= now:
            detail = f"{name}: This time is in the past; it is now {now.isoformat(timespec='seconds')}."
            error = FieldError(param=name, code="in_the_past", message=detail)
            raise Problem(ProblemCode.INVALID_REQUEST, detail, param=name, errors=[error])
