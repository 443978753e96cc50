"""Change, disable and enable projects."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.audit.record import record
from services.api.projects.create import NAME_LOCK, refuse_taken_name
from services.api.projects.repository import find_project, time_of
from services.api.projects.schemas import ProjectChange, ProjectResponse
from services.api.projects.view import view_project
from shared.ids import IdKind, format_id
from shared.tables import Project

NEVER_NULL = frozenset({"name", "weight", "fingerprints", "content_credentials"})


def change_project(session: Session, project_id: UUID, change: ProjectChange) -> ProjectResponse:
    """Change the fields that the request names. Raises Problem."""
    if change.name is not None:
        session.execute(select(func.pg_advisory_xact_lock(NAME_LOCK)))
    project = find_project(session, project_id, lock=True)
    if change.name not in {None, project.name}:
        refuse_taken_name(session, str(change.name))
    changed: dict[str, Any] = {}
    for name in sorted(change.model_fields_set):
        before, value = getattr(project, name), getattr(change, name)
        if before == value or (value is None and name in NEVER_NULL):
            continue
        setattr(project, name, value)
        changed[name] = {"before": before, "after": value}
    if changed:
        record(session, "project.changed", format_id(IdKind.PROJECT, project_id), project_id, changed)
    return view_project(project)


def disable(session: Session, project_id: UUID) -> ProjectResponse:
    """Refuse all keys of the project from now on. No effect on a disabled project. Raises Problem."""
    project = find_project(session, project_id, lock=True)
    if project.disabled_at is None:
        project.disabled_at = time_of(session)
        note(session, project, "project.disabled")
    return view_project(project)


def enable(session: Session, project_id: UUID) -> ProjectResponse:
    """Accept the project's keys again. Raises Problem."""
    project = find_project(session, project_id, lock=True)
    if project.disabled_at is not None:
        project.disabled_at = None
        note(session, project, "project.enabled")
    return view_project(project)


def note(session: Session, project: Project, action: str) -> None:
    """Record the change."""
    record(session, action, format_id(IdKind.PROJECT, project.id), project.id)
