"""Recognize requests that chat programs send by themselves, for titles, tags and the like; pure functions.

They go to the model of the chat, which would draw a picture of each. They are recognized by the words of the
programs' prompts, by the form of the wanted answer, or by a limit of tokens that no picture keeps.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from services.api.openai.chat.conversation import ASSISTANT, USER
from services.api.openai.chat.requests import ChatRequest, Message

FEWEST_TOKENS = 64
"""Limits below this are those of connection tests and of labels; no picture has so few tokens."""
MOST_MESSAGES = 6
"""Background requests quote the conversation in one message; some have examples before it."""


@unique
class Want(StrEnum):
    """What a background request asks for."""

    TITLE = "title"
    EMOJI = "emoji"
    JSON = "json"
    FUNCTION = "function"
    LANGUAGE = "language"
    TEXT = "text"


@dataclass(frozen=True)
class Background:
    """A background request. schema: of the wanted JSON, or of the function's arguments."""

    want: Want
    schema: Mapping[str, Any] | None = None
    function: str = ""


CONVERSATION = r"(?:conversation|chat|chat history|dialogue|dialog|discussion|thread)s?\b"
WORDS: tuple[tuple[re.Pattern[str], Want], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), want)
    for pattern, want in (
        # LibreChat, LobeChat, Chatbox and others
        (rf"\btitle (?:for|of) (?:the|this|our|a) {CONVERSATION}", Want.TITLE),
        (rf"\btitle that (?:captures|describes|summari[sz]es) [^.\n]{{0,60}}{CONVERSATION}", Want.TITLE),
        (rf"\bsummari[sz]e [^.\n]{{0,40}}{CONVERSATION} into (?:a )?titles?\b", Want.TITLE),
        (rf"\banaly[sz]e this {CONVERSATION} and provide[\s\S]{{0,200}}\btitle\b", Want.TITLE),
        (r"\bbased on the chat history, give this conversation a name\b", Want.TITLE),
        (r"总结[^。\n]{0,40}标题|標題|会话[^。\n]{0,20}标题", Want.TITLE),
        (r"\bfitting emoji\b|\byou are an emoji expert\b", Want.EMOJI),
        (r"\bthe language of (?:the|this) (?:text|content)\b[^.]{0,80}\blocale\b", Want.LANGUAGE),
    )
)
TASK = "### Task:"
HISTORY = "<chat_history>"
"""Both stand in all background prompts of Open WebUI, whatever they ask for."""
KEY = re.compile(r'\{\s*"(\w{1,40})"\s*:\s*(\[|")')
"""The first key of the JSON that a prompt shows, and the kind of its value."""
COMPLETION = "text"
"""Key of the words with which a user's unfinished message goes on; none are proposed."""
TOOLS = re.compile(r'"tool_calls"\s*:')


def background_of(request: ChatRequest) -> Background | None:
    """What a background request asks for; None for a request that draws."""
    function = request.forced_function
    if function is not None:
        return Background(Want.FUNCTION, function.parameters, function.name or "")
    form = request.response_format
    if form is not None and form.type in {"json_object", "json_schema"}:
        return Background(Want.JSON, form.json_schema.schema_ if form.json_schema else None)
    asked = by_words(request)
    if asked is not None:
        return asked
    is_short = request.most_tokens is not None and request.most_tokens < FEWEST_TOKENS
    wants_text = request.modalities is not None and "image" not in request.modalities
    return Background(Want.TEXT) if is_short or wants_text else None


def by_words(request: ChatRequest) -> Background | None:
    """What the words of the request ask for; None if they are no background prompt."""
    messages = request.messages
    if len(messages) > MOST_MESSAGES or any(message.pictures for message in messages):
        return None
    last = next((message.text for message in reversed(messages) if message.role == USER), "")
    rules = "\n".join(message.text for message in messages if message.role not in {USER, ASSISTANT})
    if last.lstrip().startswith(TASK) and HISTORY in last:
        return of_template(last)
    if TOOLS.search(rules) and "tools" in rules.lower():
        return Background(Want.JSON, schema_with("tool_calls", "["))
    for text in (rules, "" if is_a_chat(messages) else last):
        for pattern, want in WORDS:
            if pattern.search(text):
                return Background(want)
    return None


def of_template(prompt: str) -> Background:
    """What a prompt of Open WebUI asks for: the JSON that it shows, or a title."""
    shown = KEY.search(prompt.partition(HISTORY)[0])
    if shown is None:
        return Background(Want.EMOJI if "emoji" in prompt and "expression" in prompt else Want.TITLE)
    return Background(Want.JSON, schema_with(shown[1], shown[2]))


def schema_with(key: str, begins: str) -> dict[str, Any]:
    """The schema of an object with one key. begins: first character of its value in JSON."""
    value: dict[str, Any] = {"type": "array" if begins == "[" else "string"}
    return {"properties": {key: {"enum": [""]} if key == COMPLETION else value}}


def is_a_chat(messages: list[Message]) -> bool:
    """Whether there are answers already: background prompts quote them in one message instead."""
    return any(message.role == ASSISTANT for message in messages)
