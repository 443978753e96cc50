"""Input items: the wish that they end with, and what is kept of them; pure functions."""

from collections.abc import Iterator, Sequence
from typing import Any

from services.api.openai.chat.conversation import Wish, read_wish
from services.api.openai.responses.requests import CALL, Item, ResponseRequest, message_of
from services.api.openai.responses.text import storable
from shared.ids import IdKind

LONGEST_ADDRESS = 2048
"""Longer addresses are pictures in base64, which are not kept in a row."""
CALL_PREFIX = "ig_"


def wish_of(request: ResponseRequest) -> Wish:
    """The instruction, and the last picture of the input. Raises Problem if there is no instruction."""
    wish = read_wish([message_of(item) for item in request.items], "input")
    return Wish(wish.prompt, as_source(wish.picture), wish.param)


def as_source(picture: str | None) -> str | None:
    """The picture as a job's source: the id of a call becomes that of the job that has drawn it."""
    if picture is None or not picture.startswith(CALL_PREFIX):
        return picture
    return f"{IdKind.JOB.value}_{picture.removeprefix(CALL_PREFIX)}"


def kept_items(items: Sequence[Item], image_id: str | None) -> list[dict[str, Any]]:
    """The items without pictures in base64. image_id: the stored picture that the response starts from.

    It takes the place of the last picture, which is the one that is edited.
    """
    kept = [storable(item.model_dump(exclude_none=True)) for item in items]
    last = True
    for part in reversed(list(pictures_of(kept))):
        if last and image_id is not None and part.get("type") != CALL:
            part["file_id"] = image_id
        last = False
        part.pop("result", None)
        if len(address_of(part)) > LONGEST_ADDRESS:
            part.pop("image_url")
    return kept


def pictures_of(items: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Calls of the tool and parts with pictures, in their order."""
    for item in items:
        if item.get("type") == CALL:
            yield item
        content = item.get("content")
        parts = content if isinstance(content, list) else []
        yield from (part for part in parts if address_of(part) or part.get("file_id"))


def address_of(part: dict[str, Any]) -> str:
    """The address of a part's picture; empty if it has none."""
    given = part.get("image_url") or ""
    return given.get("url") or "" if isinstance(given, dict) else given
