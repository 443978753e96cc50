"""Short answers in text to background requests; pure functions. The model itself writes no words."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from services.api.openai.chat.background import Background, Want
from services.api.openai.chat.conversation import PICTURE_ID, USER
from services.api.openai.chat.requests import ChatRequest

DRAWS_ONLY = "This model draws pictures. Say what to draw, or send a picture and say what to change in it."
EMOJI = "🎨"
TITLE_WORDS, TITLE_LETTERS = 5, 60
LONGEST_FIRST = 400
NO_TITLE = "Pictures"
QUOTED = re.compile(
    r"^[ \t]*(?:user|human|query)[ \t]*:[ \t]*(\S.{0,400})|<user>\s{0,9}(\S.{0,400})",
    re.IGNORECASE | re.MULTILINE,
)
"""The beginnings of the user's messages in a conversation that a prompt quotes."""
HISTORY = re.compile(r"<(?:chat_history|conversation)>(.*)", re.DOTALL)
MOST_PROPERTIES = 64
DEEPEST = 4


def text_for(asked: Background, request: ChatRequest) -> str:
    """The answer to a background request."""
    match asked.want:
        case Want.TITLE:
            return title_of(request)
        case Want.EMOJI:
            return EMOJI
        case Want.LANGUAGE:
            return "en-US"
        case Want.JSON | Want.FUNCTION:
            return json.dumps(fitting(asked.schema or {"properties": {"text": {}}}, title_of(request)))
        case Want.TEXT:
            return DRAWS_ONLY


def title_of(request: ChatRequest) -> str:
    """A title: the first words of the user in the conversation that the request quotes."""
    asked = next((message.text for message in request.messages if message.role == USER), "")
    history = HISTORY.search(asked)
    first = next(quoted(asked if history is None else history[1]), "")
    words = re.findall(r"[^\s\"'`*_#<>{}\[\]]+", PICTURE_ID.sub("", first[:LONGEST_FIRST]))[:TITLE_WORDS]
    title = " ".join(words)[:TITLE_LETTERS].strip(" .,:;!?-")
    return title[:1].upper() + title[1:] or NO_TITLE


def quoted(text: str) -> Iterator[str]:
    """What the user says in a quoted conversation; the whole text if nothing is marked as the user's."""
    found = [line[1] or line[2] for line in QUOTED.finditer(text)]
    yield from found or [text.strip()]


def fitting(schema: Mapping[str, Any], title: str, depth: int = 0) -> Any:
    """A small value that fits a JSON schema: empty lists, the title as text."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and depth < DEEPEST:
        inner = list(properties.items())[:MOST_PROPERTIES]
        return {
            name: fitting(value if isinstance(value, Mapping) else {}, title, depth + 1)
            for name, value in inner
        }
    for name, value in (("array", []), ("object", {}), ("boolean", False), ("integer", 0), ("number", 0)):
        if name in kinds:
            return value
    return title
