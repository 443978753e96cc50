"""Requests that chat programs send by themselves get a short text; requests of their users are drawn."""

import json
from typing import Any

import pytest

from services.api.openai.chat.background import Want, background_of
from services.api.openai.chat.requests import ChatRequest
from services.api.openai.chat.texts import EMOJI, text_for

HISTORY = "<chat_history>\nUSER: draw a red circle, please\nASSISTANT: img (256x256)\n</chat_history>"


def request_of(*texts: str, **fields: Any) -> ChatRequest:
    """A request with these messages: system and user if there are two, the user's alone if there is one."""
    roles = ("user",) if len(texts) == 1 else ("system", "user", "assistant", "user")
    messages = [
        {"role": role, "content": text} for role, text in zip(roles[: len(texts)], texts, strict=True)
    ]
    return ChatRequest.model_validate({"messages": messages, **fields})


def answer_to(request: ChatRequest) -> str | None:
    asked = background_of(request)
    return None if asked is None else text_for(asked, request)


def open_webui(task: str, output: str) -> ChatRequest:
    """A prompt in the form of Open WebUI's templates."""
    return request_of(f"### Task:\n{task}\n### Output:\n{output}\n### Chat History:\n{HISTORY}")


@pytest.mark.parametrize(
    ("task", "shown", "answer"),
    [
        ("Name this chat.", '{ "title": "a title" }', {"title": "Draw a red circle, please"}),
        ("Tag it.", '{ "tags": ["tag1", "tag2"] }', {"tags": []}),
        ("Suggest questions.", '{ "follow_ups": ["Q 1?", "Q 2?"] }', {"follow_ups": []}),
        ("What to search?", '{\n  "queries": ["a"]\n}', {"queries": []}),
        ("Complete it.", '{ "text": "<completion>" }', {"text": ""}),
        ("Describe it.", '{\n    "prompt": "Your description"\n}', {"prompt": "Draw a red circle, please"}),
    ],
)
def test_templates_of_open_webui_get_the_json_that_they_show(
    task: str, shown: str, answer: dict[str, Any]
) -> None:
    text = answer_to(open_webui(task, f"JSON format: {shown}"))
    assert text is not None
    assert json.loads(text) == answer


def test_a_template_without_json_gets_a_title() -> None:
    assert answer_to(open_webui("Name this chat.", "Only the title.")) == "Draw a red circle, please"


@pytest.mark.parametrize(
    "texts",
    [
        ("Provide a concise, 5-word-or-less title for the conversation.\n\nUser: a boat\nAI: img_1",),
        ("Write a concise title for this conversation in its language.\nUser: a boat",),
        ("Analyze this conversation and provide:\n1. The language\n2. A concise title\n\nUser: a boat",),
        ("You are an assistant. Summarize the conversation into a title within 5 words.", "user: a boat"),
        ("Generate a concise title that captures the essence of the conversation.", "user: a boat"),
        ("Summarize user conversations into titles within 10 characters.", "user: a boat"),
        ("你是一名擅长会话的助理,你需要将用户的会话总结为 10 个字以内的标题", "user: a boat"),
        ("Based on the chat history, give this conversation a name. No quotes.\nUser: a boat",),
    ],
)
def test_prompts_for_titles_are_recognized_in_every_program(texts: tuple[str, ...]) -> None:
    assert answer_to(request_of(*texts)) == "A boat"


def test_an_emoji_is_answered_with_one() -> None:
    prompt = "Your task is to reflect the speaker's expression through a fitting emoji.\nMessage: hello"
    assert answer_to(request_of(prompt)) == EMOJI


def test_a_schema_is_filled_with_small_values() -> None:
    schema = {
        "properties": {
            "title": {"type": "string"},
            "tags": {"type": "array"},
            "kind": {"enum": ["picture", "text"]},
            "more": {"properties": {"count": {"type": "integer"}, "is_new": {"type": "boolean"}}},
        }
    }
    form = {"type": "json_schema", "json_schema": {"name": "topic", "schema": schema}}
    text = answer_to(request_of("User: a boat", response_format=form))
    assert text is not None
    assert json.loads(text) == {
        "title": "A boat",
        "tags": [],
        "kind": "picture",
        "more": {"count": 0, "is_new": False},
    }


def test_a_forced_function_is_called_and_an_offered_one_is_not() -> None:
    function = {"name": "save_title", "parameters": {"properties": {"title": {"type": "string"}}}}
    tools = [{"type": "function", "function": function}]
    choice = {"type": "function", "function": {"name": "save_title"}}
    forced = background_of(request_of("User: a boat", tools=tools, tool_choice=choice))
    assert forced is not None
    assert (forced.want, forced.function) == (Want.FUNCTION, "save_title")
    assert background_of(request_of("a boat", tools=tools, tool_choice="auto")) is None


@pytest.mark.parametrize(
    "fields", [{"max_tokens": 5}, {"max_completion_tokens": 1}, {"modalities": ["text"]}]
)
def test_what_cannot_be_a_picture_gets_a_text(fields: dict[str, Any]) -> None:
    asked = background_of(request_of("hello", **fields))
    assert asked is not None
    assert asked.want is Want.TEXT


@pytest.mark.parametrize(
    "texts",
    [
        ("a red circle",),
        ("a book cover with the title 'The Conversation'",),
        ("a poster for a chat about titles",),
        ("a page that says ### Task: and <chat_history>",),
        ("You are a helpful assistant.", "two people in conversation, with a title above them"),
        ("", "a boat", "img_1 (256x256)", "write a title for the conversation of the two below them"),
    ],
)
def test_the_wishes_of_users_are_drawn(texts: tuple[str, ...]) -> None:
    assert background_of(request_of(*texts, max_tokens=4096, modalities=["image", "text"])) is None


def test_a_long_text_is_read_in_linear_time() -> None:
    """Repeated beginnings of each pattern; a quadratic one would take minutes."""
    for beginning in (
        "<user> ",
        "user: ",
        "title of the ",
        "summarize the ",
        "会话",
        '{ "a',
        "![",
        "![](data:",
    ):
        request = request_of(beginning * 60_000)
        asked = background_of(request)
        assert asked is None or text_for(asked, request)
