"""The instruction and the picture that a conversation ends with; pure functions.

Some programs send no pictures of earlier answers back (Open WebUI), but all send the texts, so the text of
each answer names its picture's id.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.api.openai.chat.requests import Message
from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind, id_pattern

USER = "user"
ASSISTANT = "assistant"
MARKDOWN_PICTURE = re.compile(r"!\[[^\]\[\n]{0,200}\]\(\s?([^()\s]+)(?:\s[^()\n]{0,200})?\)")
"""A picture in Markdown. No character of an address can begin another one, so matching takes linear time."""
PICTURE_ID = re.compile(rf"(?<![A-Za-z0-9_])({id_pattern(IdKind.IMAGE)})(?![A-Za-z0-9_])")
DATA = "data:image/"


@dataclass(frozen=True)
class Wish:
    """What a conversation asks for.

    picture: address or id of its last picture, which is to be edited; None if it has none.
    """

    prompt: str
    picture: str | None = None
    param: str = "messages"
    """The field of the picture."""


def read_wish(messages: Sequence[Message], field: str = "messages") -> Wish:
    """The user's last instruction with the last picture up to there. Raises Problem if it says nothing.

    field: the field of the request that has the messages.
    """
    at = next((at for at in reversed(range(len(messages))) if messages[at].role == USER), None)
    prompt = "" if at is None else prompt_of(messages[at])
    if at is None or not prompt:
        raise Problem(
            ProblemCode.INVALID_REQUEST,
            f"{field}: The last message of the user has no text that says what to draw or to change.",
            param=field,
        )
    for number in range(at, -1, -1):
        found = last_picture(messages[number])
        if found is not None:
            return Wish(prompt, found, f"{field}.{number}")
    return Wish(prompt)


def prompt_of(message: Message) -> str:
    """The text of a message without the pictures in it."""
    return PICTURE_ID.sub("", MARKDOWN_PICTURE.sub("", message.text)).strip()


def last_picture(message: Message) -> str | None:
    """The last picture of a message; one that is only named in its text counts if there is no other."""
    found = message.pictures or list(pictures_in_text(message))
    return found[-1] if found else None


def pictures_in_text(message: Message) -> Iterator[str]:
    """Pictures that the text of the user or of an answer contains in Markdown, or names by id or address."""
    if message.role not in {USER, ASSISTANT}:
        return
    data = ((found.start(), found[1]) for found in MARKDOWN_PICTURE.finditer(message.text))
    named = ((found.start(), found[1]) for found in PICTURE_ID.finditer(message.text))
    both = sorted([*(one for one in data if one[1].startswith(DATA)), *named])
    yield from (picture for _, picture in both)
