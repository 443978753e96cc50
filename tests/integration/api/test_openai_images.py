"""OpenAI's images over HTTP: what is sent, what comes back, and a repeated request draws nothing twice."""

import base64
import io
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from PIL import Image

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.storage import ObjectStorage
from tests.support.gateway.clients import Project
from tests.support.gateway.openai import FAILING, LOST, Json, Painter, add_worker, error_of

GENERATIONS = "/openai/v1/images/generations"


@pytest.fixture
def painter(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> Iterator[Painter]:
    """A worker row, and a thread that draws."""
    add_worker(database)
    with Painter(database, ObjectStorage(gateway_settings.storage)) as painter:
        yield painter


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
