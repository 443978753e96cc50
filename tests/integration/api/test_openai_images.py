"""OpenAI's images over HTTP: what is sent, what comes back, and a repeated request draws nothing twice."""

import base64
import io
import json
from typing import cast
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image

from services.api.events.feed import Feed
from services.api.events.subscription import Subscription
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.job_store import ClaimedJob
from shared.partial_pictures import PartialChannel, PartialPicture
from tests.support.gateway.clients import RED, Project, png
from tests.support.gateway.openai import FAILING, LOST, Json, Painter, add_worker, error_of
from tests.support.gateway.openai_clients import transparent_corner
from tests.support.platforms.platform import eventually

EDITS = "/openai/v1/images/edits"
FILES = "/openai/v1/files"
GENERATIONS = "/openai/v1/images/generations"


def generate(project: Project, headers: dict[str, str] | None = None, **fields: object) -> Json:
    answer = project.post(GENERATIONS, headers, json={"prompt": "a red circle", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def opened(data: Json) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data["b64_json"])))


def test_pictures_come_in_base64_with_their_true_size(alice: Project, painter: Painter) -> None:
    body = generate(alice, model="gpt-image-1", n=2, size="1536x1024", quality="auto", background="auto")
    assert [opened(data).size for data in body["data"]] == [(384, 256), (384, 256)]
    assert (body["size"], body["output_format"], body["background"]) == ("384x256", "png", "opaque")
    assert body["usage"]["total_tokens"] == 5 + 8
    assert alice.get(f"/v1/jobs/{body['luminary']['job_id']}").json()["status"] == "succeeded"


def test_fields_of_the_engine_are_honoured_and_unknown_ones_ignored(alice: Project, painter: Painter) -> None:
    own = {"seed": 7, "guidance_scale": 3, "top_k": 50, "temperature": 0.5, "negative_prompt": "blue"}
    body = generate(alice, user="me", style="vivid", moderation="low", steps=None, quality="hd", **own)
    request = painter.requests[0]
    assert {name: request[name] for name in own} == own
    assert (request["n"], request["best_of"]) == (1, 2)
    assert body["luminary"]["seed"] == 7


def test_a_format_and_its_compression_are_honoured(alice: Project, painter: Painter) -> None:
    body = generate(alice, output_format="jpg", output_compression=0)
    assert (opened(body["data"][0]).format, body["output_format"]) == ("JPEG", "jpeg")
    assert generate(alice, output_compression=50)["output_format"] == "png"


def test_an_address_needs_a_key_or_its_signature(alice: Project, bob: Project, painter: Painter) -> None:
    url = generate(alice, response_format="url", output_format="webp")["data"][0]["url"]
    path, query = urlsplit(url).path, urlsplit(url).query
    assert path.endswith(".webp")
    fetched = alice.client.get(f"{path}?{query}", follow_redirects=False)
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, "image/webp")
    assert alice.get(f"{path}?{query}").content == fetched.content
    assert alice.get(f"{path}?format=webp").content == fetched.content
    assert alice.client.get(path).status_code == bob.get(f"{path}?signature=00").status_code == 401
    forged = [
        query.replace("webp", "png"),
        query.replace("expires=1", "expires=2"),
        query.replace("key=", "key=0"),
    ]
    assert {alice.client.get(f"{path}?{other}").status_code for other in forged} == {401}
    assert bob.get(path).status_code == 404


def test_an_unknown_model_is_a_bad_request_and_never_a_404(alice: Project, painter: Painter) -> None:
    """Nextcloud probes with it: 404 and 401 hide the feature."""
    answer = alice.post(GENERATIONS, json={"prompt": "a", "model": "invalid-model"})
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (400, ProblemCode.MODEL_NOT_FOUND)
    assert error["param"] == "model"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 99}, "n"),
        ({"size": "large"}, "size"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"temperature": -1.0}, "temperature"),
        ({"output_format": "svg"}, "output_format"),
    ],
)
def test_an_invalid_request_is_a_400_that_names_the_field(alice: Project, fields: Json, param: str) -> None:
    answer = alice.post(GENERATIONS, json={"prompt": "a", **fields})
    assert answer.status_code == 400
    assert error_of(answer)["param"] == param


def test_a_client_is_told_not_to_repeat_what_has_failed(alice: Project, painter: Painter) -> None:
    mine = alice.post(GENERATIONS, json={"prompt": FAILING})
    assert (mine.status_code, mine.headers["x-should-retry"]) == (400, "false")
    assert error_of(mine)["type"] == "invalid_request_error"


def test_a_failure_of_the_platform_is_a_server_error(alice: Project, painter: Painter) -> None:
    answer = alice.post(GENERATIONS, json={"prompt": LOST})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
    assert error_of(answer)["code"] == ProblemCode.JOB_FAILED


def test_models_and_aliases_are_listed(alice: Project, painter: Painter) -> None:
    listed = {model["id"]: model for model in alice.get("/openai/v1/models").json()["data"]}
    assert {"tiny", "gpt-image-1", "dall-e-3", "chatgpt-image-latest"} <= listed.keys()
    assert alice.get("/openai/v1/models/dall-e-3").json() == listed["dall-e-3"]
    assert error_of(alice.get("/openai/v1/models/nothing"))["code"] == ProblemCode.NOT_FOUND


def test_a_repeated_request_gets_the_job_of_its_first_try(alice: Project, painter: Painter) -> None:
    jobs = [
        generate(alice, {"x-stainless-retry-count": str(count)})["luminary"]["job_id"] for count in range(4)
    ]
    assert len(set(jobs)) == len(painter.requests) == 1
    again = generate(alice, {"x-stainless-retry-count": "0"})["luminary"]["job_id"]
    other = generate(alice, {"x-stainless-retry-count": "1"}, n=2)["luminary"]["job_id"]
    assert len({*jobs, again, other}) == 3


def test_a_key_of_the_client_counts_as_everywhere(alice: Project, painter: Painter) -> None:
    headers = {"Idempotency-Key": "mine"}
    first, second = generate(alice, headers), generate(alice, headers)
    assert first["luminary"] == second["luminary"]
    refused = alice.post(GENERATIONS, headers, json={"prompt": "another"})
    assert error_of(refused)["code"] == ProblemCode.IDEMPOTENCY_KEY_REUSED


def test_every_route_needs_a_key(alice: Project) -> None:
    for path in ("/openai/v1/models", "/openai/v1/nothing"):
        answer = alice.client.get(path)
        assert (answer.status_code, error_of(answer)["type"]) == (401, "authentication_error")


def test_an_edit_as_a_form_has_its_picture_and_its_mask(alice: Project, painter: Painter) -> None:
    files = [
        ("image", ("upload", png(256, 256), "application/octet-stream")),
        ("mask", ("m.png", transparent_corner())),
    ]
    answer = alice.post(EDITS, data={"prompt": "make it blue", "n": "2", "seed": "3"}, files=files)
    assert answer.status_code == 200, answer.text
    body, request = answer.json(), painter.requests[0]
    assert (request["task"], request["n"], request["seed"]) == ("edit", 2, 3)
    assert len(body["data"]) == 2
    job = alice.get(f"/v1/jobs/{body['luminary']['job_id']}").json()
    assert job["mask"]["reading"] == "transparent_edits"
    assert body["usage"]["input_tokens_details"]["image_tokens"] == 32 * 32


def test_of_several_pictures_the_first_is_edited_and_a_warning_says_so(
    alice: Project, painter: Painter
) -> None:
    first, second = png(256, 256, RED), png(256, 256, (0, 0, 255))
    files = [("image[]", ("a.png", first)), ("image[]", ("b.png", second))]
    body = alice.post(EDITS, data={"prompt": "make it blue"}, files=files).json()
    assert [warning["code"] for warning in body["warnings"]] == ["pictures_unused"]
    assert alice.get(f"/v1/images/{painter.requests[0]['image']}/content").content == first


def test_an_edit_in_json_takes_files_pictures_and_data_urls(alice: Project, painter: Painter) -> None:
    file = alice.post(FILES, data={"purpose": "vision"}, files={"file": png(256, 256)}).json()
    first = alice.post(EDITS, json={"prompt": "bluer", "images": [{"file_id": file["id"]}]}).json()
    [picture] = first["luminary"]["image_ids"]
    data_url = f"data:image/png;base64,{base64.b64encode(png(256, 256)).decode()}"
    for given in ({"images": [{"file_id": picture}]}, {"image": data_url}, {"image": [data_url]}):
        answer = alice.post(EDITS, json={"prompt": "bluer still", **given})
        assert answer.status_code == 200, answer.text
    assert painter.requests[1]["image"] == picture


def test_an_edit_needs_a_picture_that_is_there(alice: Project, bob: Project) -> None:
    theirs = bob.post(FILES, data={"purpose": "vision"}, files={"file": png()}).json()["id"]
    for given in ({}, {"images": [{"file_id": theirs}]}, {"image": "hello"}):
        answer = alice.post(EDITS, json={"prompt": "bluer", **given})
        assert (answer.status_code, error_of(answer)["param"]) == (400, "image"), answer.text


def events_of(answer: httpx2.Response) -> list[tuple[str, Json]]:
    """The events of a stream, which has no `id:` and no `retry:`."""
    found: list[tuple[str, Json]] = []
    for block in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        assert lines.keys() <= {"event", "data"}
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def partial_picture(claimed: ClaimedJob, rows: int) -> PartialPicture:
    return PartialPicture(
        job_id=claimed.lease.job_id,
        project_id=claimed.project_id,
        attempt=1,
        index=0,
        rows_done=rows,
        rows_total=8,
        media_type="image/png",
        picture=png(),
        is_among_few=True,
    )


def has_a_partial(watch: Subscription) -> bool:
    return bool(vars(watch)["_partials"] or vars(watch)["_sent"])


def test_a_stream_has_partial_pictures_and_then_each_picture(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    add_worker(database)
    redis_url = gateway_settings.broker.redis_url
    assert redis_url is not None
    channel = PartialChannel(redis_url.get_secret_value())
    feed: Feed = cast("FastAPI", alice.client.app).state.feed

    def show(claimed: ClaimedJob) -> None:
        watched = [(claimed.lease.job_id, claimed.project_id)]
        eventually(lambda: channel.watched(watched), "a client watches the job")
        for rows in (1, 5, 7):
            channel.send(partial_picture(claimed, rows))
        eventually(
            lambda: any(vars(watch)["_partials"] or vars(watch)["_sent"] for watch in feed.streams.all()),
            "it has arrived",
        )

    with Painter(database, gateway_settings, before=show):
        body = {"prompt": "a red circle", "n": 2, "stream": True, "partial_images": 1}
        events = events_of(alice.post(GENERATIONS, json={**body, "output_format": "webp"}))
    assert [kind for kind, _ in events] == [
        "image_generation.partial_image",
        "image_generation.completed",
        "image_generation.completed",
    ]
    assert all(kind == data["type"] for kind, data in events)
    assert events[0][1]["partial_image_index"] == 0
    assert [data["image_index"] for _, data in events] == [0, 0, 1]
    assert {opened(data).format for _, data in events} == {"WEBP"}
    assert {"b64_json", "created_at", "size", "usage"} <= events[-1][1].keys()


def test_a_failure_in_a_stream_is_an_event_with_an_error(alice: Project, painter: Painter) -> None:
    [(kind, data)] = events_of(alice.post(GENERATIONS, json={"prompt": FAILING, "stream": True}))
    assert (kind, data["error"]["code"]) == ("error", "invalid_request")


def drawn_scene(request: Json, width: int, height: int) -> bytes:
    """A picture with a thing on white, or its segmentation map on black."""
    is_map = request["task"] == "dense"
    scene = Image.new("RGB", (width, height), "black" if is_map else "white")
    scene.paste((60, 180, 75), (width // 4, height // 4, width // 2, height // 2))
    buffer = io.BytesIO()
    scene.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_transparent_background_is_cut_out_by_the_models_segmentation(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    add_worker(database)
    with Painter(database, gateway_settings, drawn_scene) as painter:
        body = generate(alice, background="transparent", n=2)
        url = generate(alice, background="transparent", output_format="webp", response_format="url")
    alpha = np.asarray(opened(body["data"][0]).convert("RGBA"))[:, :, 3]
    assert (alpha[0, 0], alpha[100, 100], body["background"]) == (0, 255, "transparent")
    assert [request["task"] for request in painter.requests[:3]] == ["text_to_image", "dense", "dense"]
    address = urlsplit(url["data"][0]["url"])
    file = alice.client.get(f"{address.path}?{address.query}").content
    assert Image.open(io.BytesIO(file)).mode == "RGBA"


def test_a_picture_of_which_nothing_would_be_left_stays_opaque(alice: Project, painter: Painter) -> None:
    body = generate(alice, background="transparent")
    assert [warning["code"] for warning in body["warnings"]] == ["nothing_cut_out"]
    assert opened(body["data"][0]).mode == "RGB"


def test_transparency_is_refused_where_it_cannot_be(alice: Project, database: Database) -> None:
    add_worker(database, tasks=["text_to_image"])
    for more in ({}, {"output_format": "jpeg"}):
        answer = alice.post(GENERATIONS, json={"prompt": "a", "background": "transparent", **more})
        assert (answer.status_code, error_of(answer)["param"]) == (400, "background")


def test_files_are_listed_read_and_deleted(alice: Project, bob: Project) -> None:
    lines = b'{"custom_id": "a"}\n' * 80_000
    picture, batch = (
        alice.post(FILES, data={"purpose": purpose}, files={"file": (name, data)}).json()
        for purpose, name, data in (("vision", "a.png", png()), ("batch", "a.jsonl", lines))
    )
    listed = alice.get(FILES).json()
    assert [file["id"] for file in listed["data"]] == [batch["id"], picture["id"]]
    assert alice.get(f"{FILES}?purpose=batch&order=asc&limit=1").json()["last_id"] == batch["id"]
    assert alice.get(f"{FILES}/{batch['id']}").json() == batch
    assert alice.get(f"{FILES}/{batch['id']}/content").content == lines
    assert alice.get(f"{FILES}/{picture['id']}/content").content == png()
    assert bob.get(f"{FILES}/{batch['id']}").status_code == 404
    assert bob.delete(f"{FILES}/{batch['id']}").status_code == 404
    for file in (picture, batch):
        assert alice.delete(f"{FILES}/{file['id']}").json()["deleted"]
        assert alice.get(f"{FILES}/{file['id']}/content").status_code == 404
    refused = alice.post(FILES, data={"purpose": "vision"}, files={"file": b"hello"})
    assert (refused.status_code, error_of(refused)["param"]) == (400, "file")
