"""Periodic searches in steps, each done by one io worker at a time.

A step has a lease in the row of its search: the time at which it is due again. An io worker that dies leaves
the step to the next one, which begins it again; one that comes back late finds another token and writes
nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.tables import Search


class SearchName(StrEnum):
    """What is searched."""

    PREVIEWS = "previews"
    """Thumbnails past their retention."""
    EVENTS = "events"
    """Events past their retention."""
    ESTIMATES = "estimates"
    """When open jobs are expected to be done."""
    STORAGE = "storage"
    """Objects without rows, and rows without objects."""


@dataclass(frozen=True)
class Step:
    """A step that this process may do, and the token that allows ending it."""

    name: SearchName
    position: str
    token: UUID


def take_step(session: Session, name: SearchName, seconds: float) -> Step | None:
    """Take the next step for `seconds`; None if it is not due or another io worker does it."""
    waits = select(Search.name).where(Search.name == name.value, Search.due_at > database_time())
    if session.scalar(waits) is not None:
        return None
    token = uuid4()
    taken = {"due_at": time_after(seconds), "taken_by": token}
    statement = (
        insert(Search)
        .values(name=name.value, **taken)
        .on_conflict_do_update(
            index_elements=[Search.name], set_=taken, where=Search.due_at <= database_time()
        )
        .returning(Search.position)
    )
    position = session.scalar(statement)
    return None if position is None else Step(name, position, token)


def end_step(session: Session, step: Step, position: str, pause_seconds: float) -> bool:
    """Let the next step begin after a pause, from that position; False if another process took over."""
    statement = (
        update(Search)
        .where(Search.name == step.name.value, Search.taken_by == step.token)
        .values(position=position, due_at=time_after(pause_seconds), taken_by=null())
        .returning(Search.name)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(statement) is not None
