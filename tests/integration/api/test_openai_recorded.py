"""The recorded requests of programs that speak OpenAI's images: each finds the fields that it reads.

Home Assistant speaks Responses (`test_openai_responses.py`), SillyTavern A1111's API (`test_sdapi.py`).
"""

import base64
from urllib.parse import urlsplit

import httpx2
import pytest

from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.pictures.formats import PNG, find_format
from tests.support.gateway.clients import Project
from tests.support.gateway.openai import Json, Painter, add_worker
from tests.support.gateway.openai_clients import GENERATIONS, RECORDED, Recorded

PROGRAMS = (
    *(
        "openai-python",
        "openai-node",
        "Vercel AI SDK",
        "Open WebUI",
        "LibreChat",
        "LobeChat",
        "Nextcloud",
        "n8n",
    ),
)


def send(project: Project, recorded: Recorded) -> httpx2.Response:
    headers = dict(recorded.headers)
    if recorded.body is not None:
        return project.post(recorded.path, headers, json=recorded.body)
    files = [(name, ("upload", data, "application/octet-stream")) for name, data in recorded.files]
    return project.post(recorded.path, headers, data=dict(recorded.texts), files=files)


def picture_in(project: Project, data: Json, wants: tuple[str, ...]) -> bytes:
    """The picture as the program finds it: it fetches an address with the key and follows no redirect."""
    name = next(name for name in wants if data.get(name))
    if name == "b64_json":
        return base64.b64decode(data[name], validate=True)
    address = urlsplit(data[name])
    answer = project.get(f"{address.path}?{address.query}", follow_redirects=False)
    assert answer.status_code == 200
    return answer.content


def test_each_program_finds_the_pictures_and_fields_that_it_reads(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    """One gateway for all of them, because starting one takes longer than all requests."""
    add_worker(database)
    with Painter(database, gateway_settings):
        for recorded in RECORDED:
            answer = send(alice, recorded)
            assert answer.status_code == 200, (recorded.client, answer.text)
            body = answer.json()
            assert len(body["data"]) == recorded.pictures, recorded.client
            for data in body["data"]:
                file = picture_in(alice, data, recorded.wants)
                assert find_format(file) is PNG, recorded.client
            missing = [name for name in recorded.reads if body.get(name) is None]
            assert missing == [], recorded.client


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_recorded(program: str) -> None:
    assert any(recorded.client.startswith(program) for recorded in RECORDED)


def test_nextclouds_probe_finds_images_and_n8n_finds_a_model(alice: Project, database: Database) -> None:
    add_worker(database)
    probe = alice.post(GENERATIONS, json={"prompt": "a", "model": "invalid-model"})
    assert probe.status_code not in {401, 404}
    models = [model["id"] for model in alice.get("/openai/v1/models").json()["data"]]
    assert any(name.startswith("dall-") for name in models)
    assert any(name.startswith("gpt-image") for name in models)
