"""OpenAI's responses over HTTP: a response is a turn, a conversation is a session."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any, cast
from zlib import crc32

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from services.api.events.feed import Feed
from services.api.events.messages import PING
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.job_store import ClaimedJob
from shared.partial_pictures import PartialChannel, PartialPicture
from tests.support.gateway.clients import Project, png
from tests.support.gateway.openai import FAILING, Json, Painter, add_worker, error_of
from tests.support.gateway.running import running_gateway
from tests.support.gateway.sessions import draw
from tests.support.platforms.platform import eventually

PATH = "/openai/v1/responses"
CONVERSATIONS = "/openai/v1/conversations"
TOOL = {"type": "image_generation"}
CALL = "response.image_generation_call"


def drawn_for(request: Json, width: int, height: int) -> bytes:
    """A picture whose colour depends on the prompt."""
    shade = crc32(request["prompt"].encode())
    return png(width, height, (shade & 255, shade >> 8 & 255, shade >> 16 & 255))


@pytest.fixture
def painter(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> Iterator[Painter]:
    add_worker(database)
    with Painter(database, gateway_settings, drawn_for) as painter:
        yield painter


def respond(project: Project, given: Any, **fields: Any) -> Json:
    answer = project.post(PATH, json={"model": "tiny", "input": given, "tools": [TOOL], **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def events_of(text: str) -> list[Json]:
    """The events of a stream, whose `event` is the `type` in their data."""
    assert not {line.partition(":")[0] for line in text.splitlines()} & {"id", "retry"}
    frames = [frame.splitlines() for frame in text.split("\n\n") if frame.startswith("event: ")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in frames]
    assert [event["type"] for event in events] == [name.removeprefix("event: ") for name, _ in frames]
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers))
    return events


def session_of(project: Project, response: Json) -> Json:
    return project.get(f"/v1/sessions/{response['luminary']['session_id']}").json()


def part(url: str) -> Json:
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def test_three_turns_walk_the_tree(alice: Project, painter: Painter) -> None:
    first = respond(alice, "a boat")
    second = respond(alice, "make it red", previous_response_id=first["id"])
    third = respond(alice, "add a tree", previous_response_id=second["id"])
    other = respond(alice, "make it blue", previous_response_id=first["id"])
    call = third["output"][0]
    assert (call["type"], call["status"], call["action"], call["size"]) == (
        "image_generation_call",
        "completed",
        "edit",
        "256x256",
    )
    assert base64.b64decode(call["result"]) == drawn_for({"prompt": "add a tree"}, 256, 256)
    assert third["previous_response_id"] == second["id"]
    assert third["usage"]["total_tokens"] == 9
    turns = session_of(alice, other)["turns"]
    assert [turn["prompt"] for turn in turns] == ["a boat", "make it red", "add a tree", "make it blue"]
    assert turns[3]["parent"] == turns[1]["parent"]
    assert alice.get(f"{PATH}/{third['id']}").json() == third
    assert {one["conversation"]["id"] for one in (first, second, third, other)} == {
        f"conv_{first['luminary']['session_id'].partition('_')[2]}"
    }


def test_a_conversation_is_a_session(alice: Project, bob: Project, painter: Painter) -> None:
    made = alice.post(CONVERSATIONS, json={"metadata": {"topic": "boats"}}).json()
    respond(alice, "a boat", conversation=made["id"])
    respond(alice, "make it red", conversation={"id": made["id"]}, instructions="be brief")
    path = f"{CONVERSATIONS}/{made['id']}"
    assert alice.get(path).json() == made
    items = alice.get(f"{path}/items", params={"order": "asc", "limit": 3}).json()
    kinds = [(item["type"], item.get("role")) for item in items["data"]]
    assert kinds == [("message", "user"), ("image_generation_call", None), ("message", "user")]
    assert items["has_more"]
    rest = alice.get(f"{path}/items", params={"order": "asc", "after": items["last_id"]}).json()
    assert [item["type"] for item in rest["data"]] == ["image_generation_call"]
    changed = alice.post(path, json={"metadata": {"topic": "cats"}}).json()
    assert changed["metadata"] == {"topic": "cats"}
    session = alice.get(f"/v1/sessions/ses_{made['id'].partition('_')[2]}").json()
    assert [turn["parent"]["turn_id"] for turn in session["turns"]] == [None, session["turns"][0]["id"]]
    assert bob.get(path).status_code == bob.delete(path).status_code == 404
    assert alice.delete(path).json() == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
    assert alice.get(path).status_code == 404


def test_a_conversation_begins_with_a_picture(alice: Project, painter: Painter) -> None:
    message = {"type": "message", "role": "user", "content": [part(data_url(png(64, 64)))]}
    made = alice.post(CONVERSATIONS, json={"items": [message]}).json()
    edited = respond(alice, "make it red", conversation=made["id"])
    assert edited["output"][0]["action"] == "edit"
    assert painter.requests[0]["image"] == session_of(alice, edited)["root_image_id"]


def test_a_turn_waits_for_the_picture_that_it_goes_on_from(alice: Project, database: Database) -> None:
    first = respond(alice, "a boat", background=True)
    assert (first["status"], first["output"]) == ("queued", [])
    after = respond(alice, "make it red", background=True, previous_response_id=first["id"])
    conversation = first["conversation"]["id"]
    last = respond(alice, "add a tree", background=True, conversation=conversation)
    turns = session_of(alice, last)["turns"]
    assert [turn["blocked_by"] for turn in turns] == [None, turns[0]["id"], turns[1]["id"]]
    draw(database)
    assert alice.get(f"{PATH}/{first['id']}").json()["status"] == "completed"
    assert alice.get(f"{PATH}/{after['id']}").json()["status"] == "queued"


def test_a_stream_has_numbered_events_and_goes_on_from_any_of_them(
    alice: Project, painter: Painter, gateway_settings: GatewayProcessSettings
) -> None:
    body = {"model": "tiny", "input": "a boat", "tools": [TOOL], "stream": True}
    answer = alice.post(PATH, json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert PING.decode() not in answer.text  # the end is noticed at once
    events = events_of(answer.text)
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        f"{CALL}.in_progress",
        f"{CALL}.generating",
        f"{CALL}.completed",
        "response.output_item.done",
        "response.completed",
    ]
    done, last = events[-2], events[-1]
    assert done["item"]["result"] == last["response"]["output"][0]["result"]
    assert {event["item_id"] for event in events if "item_id" in event} == {done["item"]["id"]}
    path = f"{PATH}/{last['response']['id']}"
    with running_gateway(gateway_settings) as other:  # the process that has sent the stream is gone
        again = Project(other, alice.project_id, alice.token)
        assert again.get(path).json() == last["response"]
        for number in (-1, 2, 9, events[-2]["sequence_number"]):
            resumed = again.get(path, params={"stream": True, "starting_after": number})
            assert events_of(resumed.text) == [one for one in events if one["sequence_number"] > number]


def test_partial_pictures_come_between_the_beginning_and_the_picture(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    add_worker(database)
    redis_url = gateway_settings.broker.redis_url
    assert redis_url is not None
    channel = PartialChannel(redis_url.get_secret_value())
    feed: Feed = cast("FastAPI", alice.client.app).state.feed

    def show(claimed: ClaimedJob) -> None:
        job, project = claimed.lease.job_id, claimed.project_id
        eventually(lambda: channel.watched([(job, project)]), "a client watches the job")
        channel.send(
            PartialPicture(
                job_id=job,
                project_id=project,
                attempt=claimed.lease.attempt,
                index=0,
                rows_done=5,
                rows_total=8,
                media_type="image/png",
                picture=png(64, 64),
                is_among_few=True,
            )
        )
        eventually(lambda: any(vars(watch)["_sent"] for watch in feed.streams.all()), "it is sent")

    with Painter(database, gateway_settings, before=show):
        body = {"input": "a boat", "tools": [{**TOOL, "partial_images": 1}], "stream": True}
        events = events_of(alice.post(PATH, json=body).text)
    names = [event["type"] for event in events]
    assert names[4:7] == [f"{CALL}.generating", f"{CALL}.partial_image", f"{CALL}.completed"]
    partial = events[5]
    assert base64.b64decode(partial["partial_image_b64"]) == png(64, 64)
    assert (partial["partial_image_index"], partial["item_id"]) == (0, events[2]["item"]["id"])


def test_home_assistants_forced_call_works(alice: Project, painter: Painter) -> None:
    """As its integration sends it: a language model's name, a developer message, an attachment, a stream."""
    body = {
        "model": "gpt-4o-mini",
        "input": [
            {"type": "message", "role": "developer", "content": "You control a home."},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "make it red"}, part(data_url(png(64, 64)))],
            },
        ],
        "tools": [{"type": "image_generation", "input_fidelity": "high", "output_format": "png"}],
        "tool_choice": {"type": "image_generation"},
        "max_output_tokens": 3000,
        "temperature": 1.0,
        "top_p": 1.0,
        "store": True,
        "stream": True,
        "user": "01ABC",
    }
    events = events_of(alice.post(PATH, json=body).text)
    added = next(event for event in events if event["type"] == "response.output_item.added")
    assert added["item"]["type"] == "image_generation_call"
    item = next(event for event in events if event["type"] == "response.output_item.done")["item"]
    assert (item["output_format"], item["size"], item["revised_prompt"]) == ("png", "256x256", None)
    response = events[-1]["response"]
    assert (response["model"], response["temperature"], response["user"]) == ("gpt-4o-mini", 1.0, "01ABC")
    assert (painter.requests[0]["task"], painter.requests[0]["temperature"]) == ("edit", 1.0)
    # it sends the call back in the next round, without the picture
    again = [*body["input"], {**item, "result": None}, {"role": "user", "content": "add a tree"}]
    respond(alice, again, model="gpt-4o-mini", tool_choice={"type": "image_generation"})
    assert painter.requests[1]["image"] == response["luminary"]["image_id"]


def test_an_earlier_picture_is_named_by_its_call_its_file_or_its_bytes(
    alice: Project, painter: Painter
) -> None:
    first = respond(alice, "a boat", store=False)
    call = first["output"][0]
    image = first["luminary"]["image_id"]
    named = {"type": "input_image", "file_id": image}
    for given in (
        [{"type": "image_generation_call", "id": call["id"]}, {"role": "user", "content": "red"}],
        [call, {"role": "user", "content": "red"}],
        [{"role": "user", "content": [{"type": "input_text", "text": "red"}, named]}],
    ):
        edited = respond(alice, given, store=False)
        assert painter.requests[-1]["image"] == image
        assert edited["luminary"]["session_id"] == first["luminary"]["session_id"]


def test_a_response_that_is_not_stored_cannot_be_read(alice: Project, painter: Painter) -> None:
    response = respond(alice, "a boat", store=False)
    assert alice.get(f"{PATH}/{response['id']}").status_code == 404
    after = alice.post(PATH, json={"input": "x", "tools": [TOOL], "previous_response_id": response["id"]})
    assert (after.status_code, error_of(after)["param"]) == (400, "previous_response_id")


def test_a_response_is_canceled_and_deleted(alice: Project, bob: Project, database: Database) -> None:
    response = respond(alice, "a boat", background=True)
    path = f"{PATH}/{response['id']}"
    for refused in (
        bob.get(path),
        bob.post(f"{path}/cancel"),
        bob.delete(path),
        bob.get(f"{path}/input_items"),
    ):
        assert error_of(refused)["code"] == ProblemCode.NOT_FOUND
    canceled = alice.post(f"{path}/cancel").json()
    assert (canceled["status"], canceled["error"]["code"]) == ("cancelled", "response_cancelled")
    assert alice.post(f"{path}/cancel").json() == canceled
    resumed = events_of(alice.get(path, params={"stream": True}).text)
    assert [event["type"] for event in resumed] == ["response.created", "response.queued", "response.failed"]
    assert alice.delete(path).json() == {"id": response["id"], "object": "response.deleted", "deleted": True}
    assert alice.get(path).status_code == 404
    assert session_of(alice, response)["turns"] == []


def test_deleting_a_response_keeps_the_picture_that_later_ones_start_from(
    alice: Project, painter: Painter
) -> None:
    first = respond(alice, "a boat")
    second = respond(alice, "make it red", previous_response_id=first["id"])
    alice.delete(f"{PATH}/{first['id']}")
    assert alice.get(f"{PATH}/{first['id']}").status_code == 404
    assert alice.get(f"{PATH}/{second['id']}").json() == second


def test_the_action_decides_whether_a_picture_is_edited(alice: Project, painter: Painter) -> None:
    first = respond(alice, "a boat")
    new = respond(alice, "a cat", previous_response_id=first["id"], tools=[{**TOOL, "action": "generate"}])
    assert new["output"][0]["action"] == "generate"
    assert session_of(alice, new)["turns"][1]["parent"]["turn_id"] is None
    refused = alice.post(PATH, json={"input": "red", "tools": [{**TOOL, "action": "edit"}]})
    assert error_of(refused)["param"] == "tools.0.action"


def test_options_of_the_tool_are_honoured(alice: Project, painter: Painter) -> None:
    tool = {**TOOL, "size": "1536x1024", "quality": "high", "output_format": "webp", "moderation": "low"}
    call = respond(alice, "a boat", tools=[{**tool, "output_compression": 80, "seed": 7}])["output"][0]
    assert (call["size"], call["quality"], call["output_format"]) == ("384x256", "high", "webp")
    assert base64.b64decode(call["result"])[8:12] == b"WEBP"
    request = painter.requests[0]
    assert (request["best_of"], request["output_quality"], request["seed"]) == (2, 80, 7)


def test_a_mask_limits_the_edit(alice: Project, painter: Painter) -> None:
    first = respond(alice, "a boat")
    half = Image.new("L", (256, 256))
    half.paste(255, (0, 0, 128, 256))
    buffer = io.BytesIO()
    half.save(buffer, "PNG")
    masked = {**TOOL, "input_image_mask": {"image_url": data_url(buffer.getvalue())}}
    edited = respond(alice, "make it red", previous_response_id=first["id"], tools=[masked])
    assert edited["output"][0]["action"] == "edit"
    assert painter.requests[1]["mask"].startswith("img_")


def test_the_input_is_listed_without_its_pictures(alice: Project, painter: Painter) -> None:
    text = {"type": "input_text", "text": "make it red"}
    message = {"role": "user", "content": [text, part(data_url(png(900, 900)))]}
    response = respond(alice, [{"role": "user", "content": "hello\0"}, message])
    items = alice.get(f"{PATH}/{response['id']}/input_items", params={"order": "asc"}).json()["data"]
    assert [item["content"] for item in items] == [
        [{"type": "input_text", "text": "hello"}],
        [text, {"type": "input_image", "file_id": painter.requests[0]["image"]}],
    ]


def test_without_the_tool_the_answer_is_a_short_text(alice: Project, painter: Painter) -> None:
    prompt = "Provide a concise, 5-word-or-less title for the conversation.\n\nUser: a boat\nAI: img"
    title = respond(alice, prompt, tools=[])
    assert title["output"][0]["content"][0]["text"] == "A boat"
    assert alice.get(f"{PATH}/{title['id']}").json() == title
    drawn = respond(alice, "a boat", previous_response_id=title["id"])
    said = respond(alice, "thank you", tools=[], previous_response_id=drawn["id"], store=True)
    assert said["output"][0]["type"] == "message"
    respond(alice, "make it red", previous_response_id=said["id"])
    assert painter.requests[1]["image"] == drawn["luminary"]["image_id"]
    names = [event["type"] for event in events_of(alice.get(f"{PATH}/{said['id']}?stream=true").text)]
    assert names[4:7] == [
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
    ]
    for choice in ("none", {"type": "function", "name": "f"}):
        assert respond(alice, "a boat", tool_choice=choice)["output"][0]["type"] == "message"


def test_a_failed_drawing_is_an_error_and_a_failed_response(alice: Project, painter: Painter) -> None:
    answer = alice.post(PATH, json={"input": FAILING, "tools": [TOOL]})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (400, "false")
    stream = alice.post(PATH, json={"input": FAILING, "tools": [TOOL], "stream": True}).text
    assert PING.decode() not in stream
    last = events_of(stream)[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["error"] == {"code": "invalid_request", "message": "it cannot be drawn"}


def test_a_repeated_request_draws_nothing_twice(alice: Project, painter: Painter) -> None:
    body = {"input": "a boat", "tools": [TOOL]}
    ids = {
        alice.post(PATH, {"x-stainless-retry-count": str(count)}, json=body).json()["id"]
        for count in range(3)
    }
    assert len(ids) == len(painter.requests) == 1


def test_deleted_sessions_and_turns_have_no_responses(alice: Project, painter: Painter) -> None:
    response = respond(alice, "a boat")
    path = f"/v1/sessions/{response['luminary']['session_id']}?confirm=1"
    assert alice.delete(path).status_code == 204
    assert alice.get(f"{PATH}/{response['id']}").status_code == 404


def test_an_invalid_request_is_a_400_that_names_the_field(alice: Project) -> None:
    unknown = "01m8a4vqzhe2fbpdaz3zp1kwsh"
    for fields, param in (
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({}, "input"),
        ({"input": "x", "previous_response_id": f"resp_{unknown}"}, "previous_response_id"),
        ({"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": "x", "conversation": f"conv_{unknown}"}, "conversation"),
        ({"input": "x", "previous_response_id": "a", "conversation": "b"}, "conversation"),
        ({"input": "x", "background": True, "store": False}, "background"),
        (
            {
                "input": [
                    {"type": "image_generation_call", "id": f"ig_{unknown}"},
                    {"role": "user", "content": "x"},
                ]
            },
            "input.0",
        ),
        ({"input": "x", "tools": [{**TOOL, "action": "paint"}]}, "tools.0.action"),
        ({"input": "x", "tools": [{**TOOL, "size": "big"}]}, "size"),
        ({"input": "x", "tools": [{**TOOL, "partial_images": 4}]}, "partial_images"),
        ({"input": "x", "tools": [{**TOOL, "input_image_mask": {}}]}, "tools.0.input_image_mask"),
        ({"input": "x", "tools": [{**TOOL, "model": "gpt-9"}]}, "model"),
    ):
        answer = alice.post(PATH, json={"tools": [TOOL], **fields})
        assert (answer.status_code, error_of(answer)["param"]) == (400, param), fields
    assert alice.get("/v1/jobs").json()["data"] == []


def test_every_route_needs_a_key(client: TestClient) -> None:
    for path in (PATH, CONVERSATIONS, "/openai/v1/chat/completions"):
        assert client.post(path, json={}).status_code == 401
