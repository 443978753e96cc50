"""Positions in the order of all events, and the event ids that name them.

An id is `evt_`, the database's history, a transaction number, and mostly a job and the number of its event:
`evt_5c1f09_8123_06bq5w3t8wxk9f4m2r7n1c0d5e_2`. Without the last two it names the place before all events of
the transaction.
"""

import re
from typing import NamedTuple
from uuid import UUID

from shared.errors import LuminaryError
from shared.ids import ALPHABET, LENGTH, IdKind, MalformedIdError, format_id, parse_id

HISTORY_LENGTH = 6
LARGEST_TRANSACTION = 2**64 - 1
LARGEST_SEQUENCE = 2**15 - 1
ID = f"evt_([0-9a-f]{{{HISTORY_LENGTH}}})_([0-9]{{1,20}})(?:_([{ALPHABET}]{{{LENGTH}}})_([0-9]{{1,5}}))?"


class Position(NamedTuple):
    """A place in the order of events: after the event that it names. Positions compare in that order."""

    transaction: int
    job_id: UUID
    sequence: int


def before(transaction: int) -> Position:
    """The place before all events of a transaction and after those of all earlier ones."""
    return Position(transaction, UUID(int=0), 0)


BEGINNING = before(0)


class NamedPosition(NamedTuple):
    """A position and the database's history that its transaction number belongs to."""

    history: str
    position: Position


class MalformedEventIdError(LuminaryError, ValueError):
    """The text is not an event id."""

    code = "event_id_malformed"
    hint = "Send the `id` of the last event that arrived, unchanged."


def format_event_id(history: str, position: Position) -> str:
    """The event id of a position."""
    place = f"evt_{history}_{position.transaction}"
    if position == before(position.transaction):
        return place
    job = format_id(IdKind.JOB, position.job_id).partition("_")[2]
    return f"{place}_{job}_{position.sequence}"


def parse_event_id(text: str) -> NamedPosition:
    """The position of an event id. Raises MalformedEventIdError."""
    match = re.fullmatch(ID, text, re.ASCII)
    if match is None:
        raise MalformedEventIdError("This is not an event id.")
    history, transaction, job, sequence = match.groups()
    try:
        job_id = UUID(int=0) if job is None else parse_id(IdKind.JOB, f"{IdKind.JOB}_{job}")
    except MalformedIdError as error:
        raise MalformedEventIdError("This is not an event id.") from error
    position = Position(int(transaction), job_id, int(sequence or 0))
    if position.transaction > LARGEST_TRANSACTION or position.sequence > LARGEST_SEQUENCE:
        raise MalformedEventIdError("This is not an event id.")
    return NamedPosition(history, position)
