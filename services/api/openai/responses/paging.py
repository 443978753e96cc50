"""Pages of lists of items; pure functions."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query

from services.api.openai.responses.objects import ItemList
from services.api.openai.responses.requests import CALL
from services.api.openai.responses.view import sibling_id

Order = Annotated[Literal["asc", "desc"], Query(description="Order by time; the newest first with `desc`.")]
After = Annotated[str | None, Query(max_length=100, description="`last_id` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Most items of a page.")]


def page_of(items: Sequence[dict[str, Any]], order: str, after: str | None, limit: int) -> ItemList:
    """One page of items, which are in their order of time."""
    ordered = list(items) if order == "asc" else list(reversed(items))
    at = next((number for number, item in enumerate(ordered, 1) if item["id"] == after), 0)
    shown = ordered[at : at + limit]
    return ItemList(
        data=shown,
        first_id=shown[0]["id"] if shown else None,
        last_id=shown[-1]["id"] if shown else None,
        has_more=len(ordered) > at + limit,
    )


def shown_items(response_id: UUID, kept: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The input items of a response as they are read: each has an id, and texts are parts."""
    for number, item in enumerate(kept):
        own = {"id": f"{sibling_id('msg', response_id)}_{number}"}
        if item.get("type") == CALL:
            yield {"status": "completed", "result": None, **own, **item}
        elif item.get("type") in (None, "message"):
            yield {**own, **message_fields(item)}
        else:
            yield {**own, **item}


def message_fields(item: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message."""
    content, role = item.get("content") or [], item.get("role") or "user"
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        content = [{"type": kind, "text": content}]
    return {"type": "message", "status": "completed", "role": role, "content": content}
