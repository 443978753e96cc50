"""Create a project."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.audit.record import record
from services.api.problems.codes import Problem, ProblemCode
from services.api.projects.schemas import ProjectCreate, ProjectResponse
from services.api.projects.view import view_project
from shared.ids import IdKind, format_id
from shared.security import generate_webhook_secret
from shared.tables import Project

NAME_LOCK = 0x6C756D04
"""Number of the advisory lock for changes of names, which are unique."""


def create_project(session: Session, wanted: ProjectCreate) -> ProjectResponse:
    """Create the project. Raises Problem if another one has its name."""
    session.execute(select(func.pg_advisory_xact_lock(NAME_LOCK)))
    refuse_taken_name(session, wanted.name)
    fields = wanted.model_dump()
    project = Project(webhook_secret=generate_webhook_secret(), **fields)
    session.add(project)
    session.flush()
    session.refresh(project)
    given = {name: value for name, value in fields.items() if value is not None}
    record(session, "project.created", format_id(IdKind.PROJECT, project.id), project.id, given)
    return view_project(project)


def refuse_taken_name(session: Session, name: str) -> None:
    """Raise Problem if a project has the name."""
    if session.scalars(select(Project.id).where(Project.name == name)).first() is not None:
        raise Problem(ProblemCode.PROJECT_NAME_TAKEN, f"There is a project named {name!r}.", param="name")
