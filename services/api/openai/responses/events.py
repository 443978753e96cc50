"""The numbered events of a response; pure functions.

The number of an event follows from what it says, not from what was sent before: every gateway sends the same
event under the same number, so a stream goes on anywhere, also after the death of the process that sent it.
Numbers rise, and some are left out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from fastapi.sse import format_sse_event

from services.api.openai.images.requests import MOST_PARTIALS
from services.api.openai.responses.objects import Status
from services.api.openai.responses.view import (
    Answered,
    begun,
    call_item,
    message_item,
    sibling_id,
    status_of,
    text_part,
    view_response,
)


class Number(IntEnum):
    """Numbers of events. There are MOST_PARTIALS numbers of partial pictures."""

    CREATED = 0
    QUEUED = 1
    IN_PROGRESS = 2
    ITEM_ADDED = 3
    CALL_IN_PROGRESS = 4
    CALL_GENERATING = 5
    PARTIAL = 6
    PART_ADDED = PARTIAL + MOST_PARTIALS
    TEXT_DELTA = PART_ADDED + 1
    TEXT_DONE = PART_ADDED + 2
    PART_DONE = PART_ADDED + 3
    CALL_COMPLETED = PART_ADDED + 4
    ITEM_DONE = PART_ADDED + 5
    END = PART_ADDED + 6


LAST_NUMBER = int(Number.END)
BEFORE_ALL = -1
"""The number that a stream from the beginning starts after."""
CALL = "response.image_generation_call"
ENDS = {"completed": "response.completed"}
"""The last event by status; `response.failed` for others."""


@dataclass(frozen=True)
class Event:
    """One event."""

    number: int
    type: str
    fields: dict[str, Any]

    @property
    def line(self) -> bytes:
        """The event as it is sent. It has no `id`: with one, OpenAI's Python client fails at comments."""
        body = {"type": self.type, "sequence_number": self.number, **self.fields}
        return format_sse_event(data_str=json.dumps(body), event=self.type)


def events_of(answered: Answered, result: str | None = None) -> Iterator[Event]:
    """The events that the response has had until now, without partial pictures. result: its picture."""
    yield snapshot(Number.CREATED, "response.created", answered, first_status(answered))
    if answered.shown.get("background"):
        yield snapshot(Number.QUEUED, "response.queued", answered, "queued")
    if answered.has_started:
        yield snapshot(Number.IN_PROGRESS, "response.in_progress", answered, "in_progress")
        yield from text_events(answered) if answered.rows is None else call_events(answered, result)
    if answered.has_ended:
        name = ENDS.get(status_of(answered), "response.failed")
        view = view_response(answered, result).model_dump(mode="json")
        yield Event(Number.END, name, {"response": view})


def first_status(answered: Answered) -> Status:
    """The status of a response when it was created."""
    return "queued" if answered.shown.get("background") else "in_progress"


def snapshot(number: Number, name: str, answered: Answered, status: Status) -> Event:
    """An event with the response as it was before it had any output."""
    view = begun(answered, status).model_copy(update={"completed_at": None})
    return Event(number, name, {"response": view.model_dump(mode="json")})


def call_events(answered: Answered, result: str | None) -> Iterator[Event]:
    """The events of the tool's call."""
    place = call_place(answered)
    begins = call_item(answered, "in_progress", None)
    yield Event(Number.ITEM_ADDED, "response.output_item.added", {"output_index": 0, "item": begins})
    yield Event(Number.CALL_IN_PROGRESS, f"{CALL}.in_progress", place)
    yield Event(Number.CALL_GENERATING, f"{CALL}.generating", place)
    if answered.has_ended and status_of(answered) == "completed":
        done = call_item(answered, "completed", result)
        yield Event(Number.CALL_COMPLETED, f"{CALL}.completed", place)
        yield Event(Number.ITEM_DONE, "response.output_item.done", {"output_index": 0, "item": done})


def partial_event(answered: Answered, index: int, picture: str) -> Event:
    """The event of a partial picture. index: from 0 to MOST_PARTIALS - 1. picture: the file in base64."""
    fields = {
        **call_place(answered),
        "partial_image_index": index,
        "partial_image_b64": picture,
    }
    return Event(Number.PARTIAL + index, f"{CALL}.partial_image", fields)


def call_place(answered: Answered) -> dict[str, Any]:
    """What all events of the call say."""
    return {"output_index": 0, "item_id": sibling_id("ig", answered.id)}


def text_events(answered: Answered) -> Iterator[Event]:
    """The events of a response in text."""
    item, text = message_item(answered), answered.text or ""
    place = {"output_index": 0, "content_index": 0, "item_id": item["id"]}
    empty = {**item, "status": "in_progress", "content": []}
    yield Event(Number.ITEM_ADDED, "response.output_item.added", {"output_index": 0, "item": empty})
    yield Event(Number.PART_ADDED, "response.content_part.added", {**place, "part": text_part("")})
    delta = {**place, "delta": text, "logprobs": []}
    yield Event(Number.TEXT_DELTA, "response.output_text.delta", delta)
    yield Event(Number.TEXT_DONE, "response.output_text.done", {**place, "text": text, "logprobs": []})
    yield Event(Number.PART_DONE, "response.content_part.done", {**place, "part": text_part(text)})
    yield Event(Number.ITEM_DONE, "response.output_item.done", {"output_index": 0, "item": item})
