"""The instruction and the picture of a conversation, as each program sends its messages."""

from typing import Any

import pytest

from services.api.openai.chat.conversation import Wish, read_wish
from services.api.openai.chat.requests import Message
from services.api.problems.codes import Problem

DATA = "data:image/png;base64,AAAA"
OTHER = "data:image/png;base64,BBBB"
ID = "img_06bq5w3t8wxk9f4m2r7n1c0d5e"


def wish(*messages: dict[str, Any]) -> Wish:
    return read_wish([Message.model_validate(message) for message in messages])


def user(text: str, *urls: str) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [{"type": "text", "text": text}, *parts]}


def test_words_alone_ask_for_a_new_picture() -> None:
    assert wish({"role": "system", "content": "draw"}, {"role": "user", "content": " a boat "}) == Wish(
        "a boat"
    )


def test_the_last_picture_is_that_of_the_last_message_that_has_one() -> None:
    asked = wish(
        user("a boat", DATA),
        {"role": "assistant", "content": "", "images": [{"image_url": {"url": OTHER}}]},
        user("make it red"),
    )
    assert asked == Wish("make it red", OTHER, "messages.1")


def test_an_attached_picture_goes_before_earlier_answers() -> None:
    answer = {"role": "assistant", "content": [{"type": "image_url", "image_url": OTHER}]}
    assert wish(user("a boat"), answer, user("make it red", DATA)) == Wish("make it red", DATA, "messages.2")


def test_a_program_that_keeps_the_texts_alone_names_the_picture() -> None:
    """Open WebUI sends pictures of the user's messages only."""
    answer = {"role": "assistant", "content": f"{ID} (256x256, seed 7)"}
    assert wish(user("a boat"), answer, user("make it red")).picture == ID


@pytest.mark.parametrize(
    ("text", "picture"),
    [
        (f"![a boat]({DATA})", DATA),
        (f"![a boat](https://host/openai/v1/pictures/{ID}.png?expires=1)", ID),
        (f"![a boat]({DATA})\n\n{ID} (256x256)", ID),
        ("![a logo](https://elsewhere.example/logo.png)", None),
        (f"x{ID}", None),
        (f"{ID}9", None),
    ],
)
def test_pictures_in_the_text_of_an_answer(text: str, picture: str | None) -> None:
    assert wish(user("a boat"), {"role": "assistant", "content": text}, user("red")).picture == picture


def test_pictures_in_an_instruction_are_not_part_of_its_words() -> None:
    asked = wish({"role": "user", "content": f"make ![it]({DATA}) red, as {ID}"})
    assert asked == Wish("make  red, as", ID, "messages.0")


def test_what_comes_after_the_last_words_of_the_user_does_not_count() -> None:
    assert wish(user("a boat"), {"role": "assistant", "content": ID}).picture is None


@pytest.mark.parametrize("messages", [[], [user("", DATA)], [{"role": "assistant", "content": "hello"}]])
def test_a_conversation_without_words_of_the_user_is_refused(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(Problem, match="has no text"):
        wish(*messages)


def test_parts_and_fields_of_other_kinds_are_ignored() -> None:
    parts = [{"type": "input_audio", "input_audio": {}}, {"type": "text", "text": "a boat", "cache": 1}]
    assert wish({"role": "user", "content": parts, "name": "me"}) == Wish("a boat")
