"""OpenAI's Python package, unchanged, on a whole platform."""

import base64
import io
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import pytest
from PIL import Image

from tests.support.platforms.luminary_up import Platform
from tests.support.platforms.platform import eventually

LOST = 50
"""Connections that a client loses before it gets its answer."""


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{platform.url}/openai/v1", api_key=platform.key, max_retries=0) as client:
        yield client


def opened(text: str | None) -> Image.Image:
    assert text is not None
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_pictures_are_drawn(client: openai.OpenAI) -> None:
    drawn = client.images.generate(
        model="gpt-image-1", prompt="a red circle", n=2, size="1024x1024", extra_body={"seed": 3}
    )
    pictures = [opened(data.b64_json) for data in drawn.data or []]
    assert [f"{picture.width}x{picture.height}" for picture in pictures] == [drawn.size] * 2
    assert drawn.usage is not None
    assert drawn.usage.output_tokens > 0
    again = client.images.generate(prompt="a red circle", n=2, size="1024x1024", extra_body={"seed": 3})
    assert (again.data or [])[0].b64_json == (drawn.data or [])[0].b64_json


def test_an_address_can_be_fetched_without_a_key(client: openai.OpenAI) -> None:
    drawn = client.images.generate(
        model="dall-e-3", prompt="a red circle", response_format="url", output_format="webp"
    )
    [data] = drawn.data or []
    assert data.url is not None
    fetched = httpx2.get(data.url, follow_redirects=False)
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, "image/webp")


def test_a_picture_is_edited_with_a_mask(client: openai.OpenAI, boat: bytes, mask: bytes) -> None:
    edited = client.images.edit(image=boat, mask=mask, prompt="make it blue")
    assert len(edited.data or []) == 1
    several = client.images.edit(image=[boat, boat], prompt="make it blue", n=2)
    assert len(several.data or []) == 2


def test_a_background_is_cut_out(client: openai.OpenAI) -> None:
    drawn = client.images.generate(prompt="a red circle on white", background="transparent")
    assert opened((drawn.data or [])[0].b64_json).mode in {"RGBA", "RGB"}
    extra: dict[str, Any] = drawn.model_extra or {}
    left = [warning["code"] for warning in extra["warnings"]]
    assert ("nothing_cut_out" in left) == (opened((drawn.data or [])[0].b64_json).mode == "RGB")


@pytest.mark.parametrize("kind", ["generation", "edit"])
def test_a_stream_ends_with_the_picture(client: openai.OpenAI, boat: bytes, kind: str) -> None:
    if kind == "edit":
        events = list(client.images.edit(image=boat, prompt="make it blue", stream=True, partial_images=3))
    else:
        events = list(client.images.generate(prompt="a red circle", stream=True, partial_images=3))
    assert events[-1].type == f"image_{kind}.completed"
    assert {event.type for event in events[:-1]} <= {f"image_{kind}.partial_image"}
    assert all(opened(event.b64_json).size for event in events)


def test_errors_have_the_classes_and_fields_that_clients_look_at(
    client: openai.OpenAI, platform: Platform
) -> None:
    with pytest.raises(openai.BadRequestError) as unknown:
        client.images.generate(model="invalid-model", prompt="a")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert unknown.value.type == "invalid_request_error"
    assert unknown.value.request_id
    with pytest.raises(openai.BadRequestError):
        client.images.generate(prompt="a", n=99)
    with (
        openai.OpenAI(base_url=client.base_url, api_key="lum_wrong") as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_nothing")
    with pytest.raises(openai.APIError) as in_stream:
        for _ in client.images.generate(prompt="a", stream=True, extra_body={"guidance_scale": 0.5}):
            pass
    assert in_stream.value.param == "guidance_scale"


def test_a_batch_draws_the_requests_of_a_file(client: openai.OpenAI) -> None:
    lines = [
        {"custom_id": name, "method": "POST", "url": "/v1/images/generations", "body": body}
        for name, body in {"a": {"prompt": "a red circle"}, "b": {"prompt": "a", "n": 99}}.items()
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("in.jsonl", data), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/images/generations", completion_window="24h"
    )

    def ended() -> openai.types.Batch | None:
        now = client.batches.retrieve(batch.id)
        return now if now.status == "completed" else None

    done = eventually(ended, "the batch is completed")
    assert done.output_file_id is not None
    assert done.error_file_id is not None
    output = json.loads(client.files.content(done.output_file_id).text)
    assert (output["custom_id"], output["response"]["status_code"]) == ("a", 200)
    assert json.loads(client.files.content(done.error_file_id).text)["custom_id"] == "b"
    assert batch.id in [one.id for one in client.batches.list()]


class LosingTransport(httpx2.HTTPTransport):
    """Sends whole requests and closes the connection at once, LOST times; then it behaves."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST" or len(self.counts) >= LOST:
            return super().handle_request(request)
        self.counts.append(request.headers["x-stainless-retry-count"])
        place = urlsplit(str(request.url))
        lines = [
            f"POST {place.path} HTTP/1.1",
            *(f"{name}: {text}" for name, text in request.headers.items()),
        ]
        with socket.create_connection((place.hostname or "", place.port or 80)) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + request.read())
        raise httpx2.ReadError("the connection was lost", request=request)


def test_fifty_lost_connections_are_one_job(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    losing = LosingTransport()
    jobs = f"{platform.url}/v1/jobs?limit=100"
    headers = {"Authorization": f"Bearer {platform.key}"}
    before = len(httpx2.get(jobs, headers=headers).json()["data"])
    with openai.OpenAI(
        base_url=f"{platform.url}/openai/v1",
        api_key=platform.key,
        max_retries=LOST,
        http_client=httpx2.Client(transport=losing),
    ) as client:
        monkeypatch.setattr(client, "_calculate_retry_timeout", lambda *_: 0.0)
        drawn = client.images.generate(prompt="a red circle that is drawn once")
    assert losing.counts == [str(count) for count in range(LOST)]
    assert len(drawn.data or []) == 1
    assert len(httpx2.get(jobs, headers=headers).json()["data"]) == before + 1
