"""Events as Server-Sent Events. Source: WHATWG HTML, section 9.2; the format itself is FastAPI's."""

import base64
import secrets
from dataclasses import dataclass
from uuid import UUID

from fastapi.sse import format_sse_event
from pydantic import BaseModel

from services.api.events.event_types import PARTIAL, PROGRESS, type_of
from services.api.events.position import Position, format_event_id
from services.api.events.repository import ActiveJob, EventRecord
from services.api.events.schemas import EventBody, PartialBody, ProgressBody
from shared.ids import IdKind, format_id
from shared.job_view.view import view_job, view_progress
from shared.partial_pictures import PartialPicture

PING = format_sse_event(comment="ping")
RETRY_MILLISECONDS = 1000
RETRY_SPREAD_MILLISECONDS = 2000
NOT_FOR_CLIENTS = frozenset({"worker"})
"""Fields of an event's data that name the operator's machines."""


@dataclass(frozen=True)
class Message:
    """An event in the form in which all streams send it."""

    position: Position
    type: str
    is_final: bool
    """Whether the event has ended its job."""
    text: bytes


def message_of(record: EventRecord, history: str, public_url: str) -> Message:
    """The message of a durable event."""
    event_id, name = format_event_id(history, record.position), type_of(record.kind)
    body = EventBody(
        id=event_id,
        type=name,
        job_id=format_id(IdKind.JOB, record.position.job_id),
        session_id=session_text(record.session_id),
        sequence=record.position.sequence,
        attempt=record.attempt,
        created_at=record.created_at,
        data={key: value for key, value in record.data.items() if key not in NOT_FOR_CLIENTS},
        job=None if record.job is None else view_job(record.job, public_url),
    )
    return Message(record.position, name, record.is_final, encoded(name, body, event_id))


def progress_message(active: ActiveJob) -> bytes:
    """The message of a job's progress."""
    body = ProgressBody(
        type=PROGRESS,
        job_id=format_id(IdKind.JOB, active.job.id),
        session_id=session_text(active.session_id),
        attempt=active.job.attempt,
        progress=view_progress(active.job, active.now, active.estimate),
    )
    return encoded(PROGRESS, body)


def partial_message(partial: PartialPicture, session_id: UUID | None) -> bytes:
    """The message of a partial picture."""
    body = PartialBody(
        type=PARTIAL,
        job_id=format_id(IdKind.JOB, partial.job_id),
        session_id=session_text(session_id),
        attempt=partial.attempt,
        index=partial.index,
        rows_done=partial.rows_done,
        rows_total=partial.rows_total,
        media_type=partial.media_type,
        picture=base64.b64encode(partial.picture).decode(),
    )
    return encoded(PARTIAL, body)


def opening(history: str, position: Position) -> bytes:
    """The first lines of a stream: the client reconnects from here even if no event has arrived."""
    return format_sse_event(id=format_event_id(history, position), retry=spread_retry())


def ending(reason: str) -> bytes:
    """The last lines of a stream that the client should open again."""
    return format_sse_event(comment=reason, retry=spread_retry())


def encoded(name: str, body: BaseModel, event_id: str | None = None) -> bytes:
    """One event; without an id it is not repeated after a reconnection."""
    return format_sse_event(data_str=body.model_dump_json(), event=name, id=event_id)


def spread_retry() -> int:
    """Milliseconds before a reconnection, spread so that clients do not return all at once."""
    return RETRY_MILLISECONDS + secrets.randbelow(RETRY_SPREAD_MILLISECONDS)


def session_text(session_id: UUID | None) -> str | None:
    """The id of a session, if there is one."""
    return None if session_id is None else format_id(IdKind.SESSION, session_id)
