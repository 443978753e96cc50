"""The unchanged `openai` package over responses and chat completions, on a platform with the bundled model.

CLIENT_PICTURES names a folder in which the pictures are kept, to look at them.
"""

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from PIL import Image

from tests.support.platforms.luminary_up import Platform

TOOL: dict[str, Any] = {"type": "image_generation", "size": "auto"}


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{platform.url}/openai/v1", api_key=platform.key, max_retries=0) as client:
        yield client


def opened(encoded: str, name: str) -> Image.Image:
    """The picture, which is kept under this name if that is wanted."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    folder = os.environ.get("CLIENT_PICTURES")
    if folder:
        picture.save(Path(folder) / f"{name}.png")
    return picture


def colour_of(picture: Image.Image) -> str:
    """The colour of the 20 most vivid pixels, which are those of the only object."""
    pixels = np.asarray(picture.convert("RGB"), dtype=float).reshape(-1, 3)
    vivid = pixels[np.argsort(pixels.max(axis=1) - pixels.min(axis=1))[-20:]]
    return ("red", "green", "blue")[int(vivid.mean(axis=0).argmax())]


def test_responses_over_three_turns(client: openai.OpenAI) -> None:
    first = client.responses.create(
        model="tiny", input="a red umbrella", tools=[{**TOOL, "seed": 7}], tool_choice={"type": TOOL["type"]}
    )
    drawn = opened(first.output[0].result, "responses-1")
    second = client.responses.create(
        model="tiny", previous_response_id=first.id, input="make the umbrella blue", tools=[TOOL]
    )
    edited = opened(second.output[0].result, "responses-2")
    with client.responses.create(
        model="tiny",
        previous_response_id=second.id,
        input="make the umbrella green",
        tools=[{**TOOL, "partial_images": 2}],
        stream=True,
    ) as stream:
        events = list(stream)
    assert [event.type for event in events][-1] == "response.completed"
    numbers = [event.sequence_number for event in events]
    third = events[-1].response
    last = opened(third.output[0].result, "responses-3")
    assert [colour_of(picture) for picture in (drawn, edited, last)] == ["red", "blue", "green"]
    again = client.responses.retrieve(third.id)
    assert again.output[0].result == third.output[0].result
    resumed = list(client.responses.retrieve(third.id, stream=True, starting_after=numbers[2]))
    kept = [event for event in events[3:] if "partial" not in event.type]
    assert [event.sequence_number for event in resumed] == [event.sequence_number for event in kept]
    waiting = client.responses.create(
        model="tiny",
        previous_response_id=first.id,
        input="make the umbrella green",
        tools=[TOOL],
        background=True,
    )
    assert waiting.status in {"queued", "in_progress"}
    assert client.responses.cancel(waiting.id).status in {"in_progress", "cancelled", "completed"}
    client.responses.delete(waiting.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(waiting.id)
    assert [item.type for item in client.responses.input_items.list(third.id)] == ["message"]


def test_a_conversation(client: openai.OpenAI) -> None:
    talk = client.conversations.create(metadata={"topic": "umbrellas"})
    for number, words in enumerate(("a red umbrella", "make the umbrella blue"), 1):
        response = client.responses.create(
            model="tiny", conversation=talk.id, input=words, tools=[{**TOOL, "seed": 7}]
        )
        picture = opened(response.output[0].result, f"conversation-{number}")
    assert colour_of(picture) == "blue"
    kinds = [item.type for item in client.conversations.items.list(talk.id, order="asc")]
    assert kinds == ["message", "image_generation_call"] * 2
    assert client.conversations.delete(talk.id).deleted


def test_chat_completions_edit_what_comes_back_in_another_format(client: openai.OpenAI) -> None:
    """A program saves the picture as JPEG: its fingerprint finds the stored one, and the session goes on."""
    messages: list[Any] = [{"role": "user", "content": "a red umbrella"}]
    extra = {"modalities": ["image", "text"]}
    first = client.chat.completions.create(model="tiny", messages=messages, extra_body={**extra, "seed": 8})
    answer = first.choices[0].message
    drawn = opened(answer.images[0]["image_url"]["url"].partition(",")[2], "chat-1")
    buffer = io.BytesIO()
    drawn.convert("RGB").save(buffer, "JPEG", quality=90)
    url = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    text = {"type": "text", "text": "make the umbrella blue"}
    asked = [{"role": "user", "content": [text, {"type": "image_url", "image_url": {"url": url}}]}]
    chunks = list(client.chat.completions.create(model="tiny", messages=asked, stream=True, extra_body=extra))
    pictures = [
        picture["image_url"]["url"]
        for chunk in chunks
        for choice in chunk.choices
        for picture in getattr(choice.delta, "images", None) or []
    ]
    assert colour_of(opened(pictures[0].partition(",")[2], "chat-2")) == "blue"
    assert chunks[0].luminary["session_id"] == first.luminary["session_id"]


def test_errors_have_the_classes_of_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="tiny", input="x", tools=[TOOL], previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
    title = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "Write a concise title for this conversation.\nUser: a boat"}],
    )
    assert title.choices[0].message.content == "A boat"
