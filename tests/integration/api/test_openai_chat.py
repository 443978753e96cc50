"""Chat completions over HTTP: a conversation is an edit session, as each program sends it."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
from PIL import Image

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from services.worker.job.provenance import add_text
from shared.database import Database
from shared.token_grid import TokenGrid
from tests.support.gateway.clients import Project, png
from tests.support.gateway.openai import FAILING, Json, Painter, add_worker, error_of

PATH = "/openai/v1/chat/completions"
CODES = TokenGrid(2, 2, (0, 2, 3, 4))
"""The codes of the first candidate of each drawing."""


def drawn_for(request: Json, width: int, height: int) -> bytes:
    """A picture whose colour depends on the prompt, with a recipe as the platform writes it."""
    shade = crc32(request["prompt"].encode())
    plain = png(width, height, (shade & 255, shade >> 8 & 255, shade >> 16 & 255))
    return add_text(plain, {"luminary": json.dumps({"tokens_sha256": CODES.sha256()})})


@pytest.fixture
def painter(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> Iterator[Painter]:
    add_worker(database)
    with Painter(database, gateway_settings, drawn_for) as painter:
        yield painter


def user(text: str, *urls: str) -> Json:
    parts: list[Json] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [{"type": "text", "text": text}, *parts]}


def complete(project: Project, *messages: Json, **fields: Any) -> Json:
    answer = project.post(PATH, json={"model": "tiny", "messages": list(messages), **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def message_of(completion: Json) -> Json:
    return completion["choices"][0]["message"]


def url_of(message: Json) -> str:
    return message["images"][0]["image_url"]["url"]


def file_of(message: Json) -> bytes:
    return base64.b64decode(url_of(message).partition(",")[2])


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def session_of(project: Project, completion: Json) -> Json:
    return project.get(f"/v1/sessions/{completion['luminary']['session_id']}").json()


def lines_of(project: Project, *messages: Json, **fields: Any) -> list[str]:
    """The data of each event of a stream."""
    body = {"model": "tiny", "messages": list(messages), "stream": True, **fields}
    answer = project.post(PATH, json=body)
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    assert not {line.partition(":")[0] for line in answer.text.splitlines()} & {"id", "retry", "event"}
    return [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]


def test_a_picture_comes_as_openrouter_sends_it(alice: Project, painter: Painter) -> None:
    completion = complete(alice, user("a boat"), modalities=["image", "text"], seed=7, n=2)
    assert [choice["finish_reason"] for choice in completion["choices"]] == ["stop", "stop"]
    message = message_of(completion)
    assert Image.open(io.BytesIO(file_of(message))).size == (256, 256)
    job = alice.get(f"/v1/jobs/{completion['luminary']['job_id']}").json()
    assert message["content"] == f"{job['outputs'][0]['id']} (256x256, seed 7)"
    assert completion["usage"] == {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}


def test_a_conversation_is_a_session_whose_codes_are_edited(alice: Project, painter: Painter) -> None:
    """The answer is sent back with its picture: as LobeChat and the programs of OpenRouter do."""
    talk = [user("a boat")]
    first = complete(alice, *talk)
    talk += [message_of(first), user("make it red")]
    second = complete(alice, *talk)
    talk += [message_of(second), user("add a tree")]
    third = complete(alice, *talk)
    session = session_of(alice, third)
    assert session["title"] == "a boat"
    assert [turn["prompt"] for turn in session["turns"]] == ["a boat", "make it red", "add a tree"]
    parents = [turn["parent"]["turn_id"] for turn in session["turns"]]
    assert parents == [None, *(turn["id"] for turn in session["turns"][:2])]
    drawn = [turn["candidates"][0]["image_id"] for turn in session["turns"]]
    assert [request.get("image") for request in painter.requests] == [None, *drawn[:2]]


def test_an_earlier_message_that_is_answered_anew_is_another_branch(alice: Project, painter: Painter) -> None:
    talk = [user("a boat")]
    talk.append(message_of(complete(alice, *talk)))
    complete(alice, *talk, user("make it red"))
    session = session_of(alice, complete(alice, *talk, user("make it blue")))
    assert len(session["turns"]) == 3
    assert session["turns"][1]["parent"] == session["turns"][2]["parent"]


def test_a_program_that_sends_the_texts_alone_goes_on_as_well(alice: Project, painter: Painter) -> None:
    """Open WebUI: texts of answers, pictures of the user's messages, and a stream."""
    first = message_of(complete(alice, {"role": "user", "content": "a boat"}))
    kept = {"role": "assistant", "content": first["content"]}
    chunks = lines_of(
        alice,
        {"role": "user", "content": "a boat"},
        kept,
        {"role": "user", "content": "make it red"},
        stream_options={"include_usage": True},
    )
    assert chunks[-1] == "[DONE]"
    parsed = [json.loads(chunk) for chunk in chunks[:-1]]
    assert {chunk["object"] for chunk in parsed} == {"chat.completion.chunk"}
    deltas = [choice for chunk in parsed for choice in chunk["choices"]]
    assert deltas[0]["delta"]["role"] == "assistant"
    pictures = [picture for one in deltas for picture in one["delta"].get("images", [])]
    assert [picture["image_url"]["url"][:22] for picture in pictures] == ["data:image/png;base64,"]
    assert deltas[-1]["finish_reason"] == "stop"
    assert parsed[-1]["usage"]["completion_tokens"] == 4
    assert painter.requests[1]["image"] == first["content"].split()[0]


def test_a_foreign_picture_is_stored_once(alice: Project, painter: Painter) -> None:
    given = data_url(png(64, 64, (1, 2, 3)))
    first = complete(alice, user("make it red", given))
    second = complete(alice, user("make it blue", given))
    assert painter.requests[0]["image"] == painter.requests[1]["image"]
    assert len(session_of(alice, second)["turns"]) == 2
    assert first["luminary"]["session_id"] == second["luminary"]["session_id"]


def test_a_picture_is_known_by_its_recipe_if_its_pixels_are_the_same(
    alice: Project, painter: Painter
) -> None:
    """A program has compressed the file again, and kept its texts; another one has painted into it."""
    first = complete(alice, user("a boat"))
    original = Image.open(io.BytesIO(file_of(message_of(first))))
    recipe = {"luminary": json.dumps({"tokens_sha256": CODES.sha256()})}

    def saved(picture: Image.Image) -> str:
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=1)
        return data_url(add_text(buffer.getvalue(), recipe))

    complete(alice, user("make it red", saved(original)))
    assert painter.requests[1]["image"] == message_of(first)["content"].split()[0]
    original.paste((0, 0, 0), (0, 0, 8, 8))
    complete(alice, user("make it blue", saved(original)))
    assert painter.requests[2]["image"] not in {None, painter.requests[1]["image"]}


def test_a_picture_of_another_project_is_foreign(alice: Project, bob: Project, painter: Painter) -> None:
    message = message_of(complete(alice, user("a boat")))
    complete(bob, user("a boat"), message, user("make it red"))
    assert painter.requests[1]["image"] != message["content"].split()[0]
    named = bob.post(
        PATH, json={"messages": [{"role": "assistant", "content": message["content"]}, user("x")]}
    )
    assert (named.status_code, error_of(named)["param"]) == (400, "messages.0")


def test_a_picture_whose_turn_was_deleted_is_encoded_as_a_foreign_one(
    alice: Project, painter: Painter
) -> None:
    first = complete(alice, user("a boat"))
    message = message_of(first)
    turn = session_of(alice, first)["turns"][0]["id"]
    path = f"/v1/sessions/{first['luminary']['session_id']}/turns/{turn}?confirm=1"
    assert alice.delete(path).status_code == 204
    second = complete(alice, user("a boat"), message, user("make it red"))
    assert second["luminary"]["session_id"] != first["luminary"]["session_id"]
    assert painter.requests[1]["image"] != message["content"].split()[0]


def test_background_requests_draw_nothing(alice: Project, painter: Painter) -> None:
    prompt = (
        '### Task:\nName it.\n### Output:\nJSON format: { "title": "..." }\n'
        "<chat_history>\nUSER: a boat\nASSISTANT: x\n</chat_history>"
    )
    completion = complete(alice, {"role": "user", "content": prompt}, stream=False)
    assert json.loads(message_of(completion)["content"]) == {"title": "A boat"}
    assert completion["luminary"] is None
    chunks = [json.loads(chunk) for chunk in lines_of(alice, {"role": "user", "content": prompt})[:-1]]
    assert "A boat" in chunks[0]["choices"][0]["delta"]["content"]
    assert alice.get("/v1/jobs").json()["data"] == []


def test_a_forced_function_is_called(alice: Project, painter: Painter) -> None:
    function = {"name": "title", "parameters": {"properties": {"title": {"type": "string"}}}}
    completion = complete(
        alice,
        {"role": "user", "content": "User: a boat"},
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "title"}},
    )
    call = message_of(completion)["tool_calls"][0]["function"]
    assert (call["name"], json.loads(call["arguments"])) == ("title", {"title": "A boat"})


def test_markdown_shows_the_picture_at_an_address_without_a_key(alice: Project, painter: Painter) -> None:
    message = message_of(complete(alice, user("a [big] boat"), markdown_images=True))
    shown, _, caption = message["content"].partition("\n\n")
    assert shown.startswith("![a big boat](http://testserver/openai/v1/pictures/img_")
    fetched = alice.client.get(shown[len("![a big boat](http://testserver") : -1])
    assert fetched.content == file_of(message)
    complete(alice, user("a boat"), {"role": "assistant", "content": message["content"]}, user("red"))
    assert painter.requests[1]["image"] == caption.split()[0]


def test_a_failed_drawing_is_an_error_in_the_stream_and_without_one(alice: Project, painter: Painter) -> None:
    answer = alice.post(PATH, json={"messages": [user(FAILING)]})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (400, "false")
    last = json.loads(lines_of(alice, user(FAILING))[-1])
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert last["error"]["message"] == answer.json()["detail"].replace(
        answer.json()["detail"].split()[2], last["error"]["message"].split()[2]
    )


def test_a_repeated_request_draws_nothing_twice(alice: Project, painter: Painter) -> None:
    answers = [
        alice.post(PATH, {"x-stainless-retry-count": str(count)}, json={"messages": [user("a boat")]}).json()
        for count in range(3)
    ]
    assert len({answer["id"] for answer in answers}) == len(painter.requests) == 1


def test_wishes_about_the_picture_are_honoured_and_those_about_texts_ignored(
    alice: Project, painter: Painter
) -> None:
    wishes = {"size": "1536x1024", "guidance_scale": 3.0, "seed": 9, "image_size": "2K"}
    complete(alice, user("a boat"), image_config=wishes, temperature=0.1, top_p=0.5, seed=-1)
    request = painter.requests[0]
    assert (request["size"], request["guidance_scale"], request["seed"]) == ("384x256", 3.0, 9)
    assert request["temperature"] == 1.0


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"messages": []}, "messages", ProblemCode.INVALID_REQUEST),
        ({"messages": [user("", "x")]}, "messages", ProblemCode.INVALID_REQUEST),
        ({"messages": [user("red", "no picture!")]}, "messages.0", ProblemCode.IMAGE_UNREADABLE),
        ({"messages": [user("red", data_url(b"GIF89a..."))]}, "messages.0", ProblemCode.IMAGE_UNREADABLE),
        ({"messages": [user("red")], "model": "gpt-9"}, "model", ProblemCode.MODEL_NOT_FOUND),
        (
            {"messages": [user("red")], "image_config": {"n": 1, "size": "big"}},
            "size",
            ProblemCode.INVALID_REQUEST,
        ),
    ],
)
def test_an_invalid_request_is_a_400(alice: Project, fields: Json, param: str, code: ProblemCode) -> None:
    answer = alice.post(PATH, json=fields)
    error = error_of(answer)
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
