"""Read projects and keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.projects.key_schemas import ApiKeyList, ApiKeyResponse
from services.api.projects.schemas import ProjectList, ProjectResponse
from services.api.projects.view import view_key, view_project
from shared.job_store.clock import database_time
from shared.tables import ApiKey, Project


def time_of(session: Session) -> datetime:
    """The time by the database's clock."""
    return session.scalars(select(database_time())).one()


def find_project(session: Session, project_id: UUID, *, lock: bool = False) -> Project:
    """The project's row; locked against other changes if `lock` is set. Raises Problem (not_found)."""
    wanted = select(Project).where(Project.id == project_id)
    project = session.scalars(wanted.with_for_update(key_share=True) if lock else wanted).first()
    if project is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no project with this id.", param="project_id")
    return project


def read_project(session: Session, project_id: UUID) -> ProjectResponse:
    """One project. Raises Problem."""
    return view_project(find_project(session, project_id))


def list_projects(
    session: Session, only: UUID | None, name: str | None, older_than: UUID | None, limit: int
) -> ProjectList:
    """A page of projects, newest first. only: this one; None for all. name: the project of this name."""
    wanted = select(Project)
    if only is not None:
        wanted = wanted.where(Project.id == only)
    if name is not None:
        wanted = wanted.where(Project.name == name)
    if older_than is not None:
        wanted = wanted.where(Project.id < older_than)
    rows = session.scalars(wanted.order_by(Project.id.desc()).limit(limit + 1)).all()
    data = [view_project(row) for row in rows[:limit]]
    more = len(rows) > limit
    return ProjectList(data=data, has_more=more, next_cursor=data[-1].id if more else None)


def find_key(session: Session, key_id: UUID, *, lock: bool = False) -> ApiKey:
    """The key's row; locked against other changes if `lock` is set. Raises Problem (not_found)."""
    wanted = select(ApiKey).where(ApiKey.id == key_id)
    key = session.scalars(wanted.with_for_update(key_share=True) if lock else wanted).first()
    if key is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no API key with this id.", param="key_id")
    return key


def read_key(session: Session, key_id: UUID) -> ApiKeyResponse:
    """One key. Raises Problem."""
    return view_key(find_key(session, key_id), time_of(session))


def list_keys(session: Session, only: UUID | None, older_than: UUID | None, limit: int) -> ApiKeyList:
    """A page of keys, newest first. only: those of this project; None for all."""
    wanted = select(ApiKey)
    if only is not None:
        wanted = wanted.where(ApiKey.project_id == only)
    if older_than is not None:
        wanted = wanted.where(ApiKey.id < older_than)
    rows = session.scalars(wanted.order_by(ApiKey.id.desc()).limit(limit + 1)).all()
    now = time_of(session)
    data = [view_key(row, now) for row in rows[:limit]]
    more = len(rows) > limit
    return ApiKeyList(data=data, has_more=more, next_cursor=data[-1].id if more else None)
