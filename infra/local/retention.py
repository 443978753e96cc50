"""Read and set the retention of projects in the database."""

import re
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from infra.local.installation import in_transaction
from shared.errors import LuminaryError
from shared.job_store.retention import COLUMNS, Kept
from shared.settings import FOR_EVER, LONGEST_RETENTION
from shared.tables import Project

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
NEVER, DEFAULT = "never", "default"


class NoSuchProjectError(LuminaryError, LookupError):
    """There is no project with this name."""

    code = "no_such_project"
    hint = "`luminary projects retention` lists all projects."


def parse_retention(text: str) -> int | None:
    """Seconds of `30d`, -1 for `never`, None for `default`. Raises ValueError."""
    if text in (NEVER, DEFAULT):
        return FOR_EVER if text == NEVER else None
    match = re.fullmatch(r"(\d{1,10})([smhd])", text)
    seconds = int(match[1]) * UNITS[match[2]] if match else LONGEST_RETENTION + 1
    if seconds > LONGEST_RETENTION:
        raise ValueError(f"{text!r} is not a time like 12h or 30d (at most 100 years), `never` or `default`")
    return seconds


def shown_retention(seconds: int | None) -> str:
    """The text that `parse_retention` reads, in the largest unit without a rest."""
    if seconds is None or seconds == FOR_EVER:
        return DEFAULT if seconds is None else NEVER
    unit = next(unit for unit in "dhms" if seconds % UNITS[unit] == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def retentions(database_url: str, name: str | None) -> list[tuple[str, ...]]:
    """Name and retentions of each project, or of one. Raises NoSuchProjectError."""

    def look(session: Session) -> list[tuple[str, ...]]:
        statement = select(Project).order_by(Project.name)
        found = session.scalars(statement if name is None else statement.where(Project.name == name)).all()
        if name is not None and not found:
            raise NoSuchProjectError(f"there is no project {name}")
        return [
            (project.name, *(shown_retention(getattr(project, COLUMNS[kept].key)) for kept in Kept))
            for project in found
        ]

    return in_transaction(database_url, look)


def set_retention(database_url: str, name: str, wanted: Mapping[str, int | None]) -> None:
    """Set retentions of a project, in seconds by their names. Raises NoSuchProjectError."""

    def write(session: Session) -> None:
        project = session.scalars(select(Project).where(Project.name == name)).first()
        if project is None:
            raise NoSuchProjectError(f"there is no project {name}")
        for kept, seconds in wanted.items():
            setattr(project, COLUMNS[Kept(kept)].key, seconds)

    in_transaction(database_url, write)
