"""Every task over HTTP, drawn by a real worker and tokenizer service."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image as Picture
from pydantic import SecretStr

from infra.local.postgres import OWNER
from infra.local.stack import EmbeddedStack
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings, GatewaySettings
from services.tokenizer.app import create_app as create_tokenizer
from services.tokenizer.settings import TokenizerServiceSettings
from shared.database import Database
from shared.noise_keys import WATERMARK_SEEDS
from shared.settings import NoiseSettings, StorageSettings
from shared.storage import ObjectStorage
from tests.support.gateway.clients import Project, assert_problem
from tests.support.gateway.running import admit, running_gateway
from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.platform import PlatformUnderTest, make_settings, noise, serve
from tests.support.servers.databases import administer, database_settings

WAIT = {"Prefer": "wait=60"}
NOISE_SECRET = "a secret for these tests"
LARGEST_SIDE = 1536
"""Longest side in pixels: the size tokens of the random model go up to 48."""


@pytest.fixture(scope="module")
def drawing_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_decoder(tmp_path_factory.mktemp("models") / "random")
    write_movqgan(folder / "movqgan")
    return folder


@pytest.fixture(scope="module")
def artist(stack: EmbeddedStack, template_database: str, drawing_models: Path) -> Iterator[Project]:
    """A project whose gateway has a worker; the tests of this file share it."""
    name = f"test_{uuid4().hex}"
    administer(stack, "CREATE DATABASE {} TEMPLATE {} OWNER {}", name, template_database, OWNER)
    environment = stack.environment
    storage = StorageSettings(
        bucket=environment["S3_BUCKET"],
        endpoint_url=environment["S3_ENDPOINT_URL"],
        access_key_id=SecretStr(environment["S3_ACCESS_KEY_ID"]),
        secret_access_key=SecretStr(environment["S3_SECRET_ACCESS_KEY"]),
        prefix=f"{uuid4().hex}/",
    )
    database = Database(database_settings(stack, name))
    tokenizer = TokenizerServiceSettings(model=str(drawing_models / "movqgan"), device="cpu")
    noise = NoiseSettings(secret=SecretStr(NOISE_SECRET))
    with serve(create_tokenizer(tokenizer, noise.parsed())) as url:
        settings = make_settings(stack, database_settings(stack, name), storage, url)
        settings = settings.model_copy(update={"noise": noise})
        gateway = GatewayProcessSettings(
            database=settings.database,
            broker=settings.broker,
            storage=storage,
            jobs=settings.jobs,
            gateway=GatewaySettings(public_url="http://testserver"),
            tokenizer=settings.tokenizer,
        )
        with running_gateway(gateway) as client:
            project = admit(database, client, "artist")
            platform = PlatformUnderTest(
                settings, drawing_models, database, ObjectStorage(storage), project.project_id
            )
            with platform.working():
                yield project
    database.dispose()
    administer(stack, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="module")
def photo(artist: Project) -> str:
    """The id of an uploaded picture whose sides are multiples of the grid."""
    return artist.upload(png_bytes(noise(1))).json()["id"]


def png_bytes(picture: Picture.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def drawn(artist: Project, **fields: Any) -> dict[str, Any]:
    """Submit a job and return it when it has succeeded."""
    answer = artist.post("/v1/jobs", WAIT, json={"seed": 7, "size": "64x64", **fields})
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["status"] == "succeeded", job["error"]
    assert job["progress"]["tokens_done"] == job["progress"]["tokens_total"] == job["usage"]["tokens_done"]
    return job


def picture_of(artist: Project, output: dict[str, Any]) -> Picture.Image:
    """Download an output's picture and check its size."""
    content = artist.get(output["url"])
    assert content.headers["content-type"] == "image/png"
    picture = Picture.open(io.BytesIO(content.content))
    picture.load()
    assert picture.size == (output["width"], output["height"])
    return picture


GIVEN = [
    {"task": "subject", "prompt": "the same dog on a beach"},
    {"task": "edit", "prompt": "make it winter"},
    *(
        {"task": "control", "prompt": "a house", "control": control}
        for control in ("depth", "edges", "hed", "pose")
    ),
    *({"task": "dense", "target": target} for target in ("depth", "segmentation", "edges", "hed", "pose")),
]


@pytest.mark.parametrize("size", [(64, 64), (96, 32), (32, 96)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_text_becomes_pictures_of_the_asked_size(artist: Project, size: tuple[int, int]) -> None:
    job = drawn(artist, prompt="a red circle", n=2, size=f"{size[0]}x{size[1]}")
    assert [output["index"] for output in job["outputs"]] == [0, 1]
    assert job["outputs"][0]["tokens_sha256"] != job["outputs"][1]["tokens_sha256"]
    for output in job["outputs"]:
        picture = picture_of(artist, output)
        assert picture.size == size
        assert json.loads(picture.info["luminary"])["tokens_sha256"] == output["tokens_sha256"]


@pytest.mark.parametrize("target", ["depth", "edges", "hed", "pose"])
def test_an_image_pair_is_one_picture_with_its_map_in_the_lower_half(artist: Project, target: str) -> None:
    job = drawn(artist, task="image_pair", prompt="a quiet harbour", target=target, size="64x128")
    (output,) = job["outputs"]
    assert picture_of(artist, output).size == (64, 128)


@pytest.mark.parametrize("fields", GIVEN, ids=lambda fields: "-".join(list(fields.values())[::2]))
def test_a_picture_with_a_task_becomes_a_picture_of_the_asked_size(
    artist: Project, photo: str, fields: dict[str, str]
) -> None:
    (output,) = drawn(artist, image=photo, **fields)["outputs"]
    assert picture_of(artist, output).size == (64, 64)


def test_a_dense_task_may_have_words_too(artist: Project, photo: str) -> None:
    (output,) = drawn(artist, task="dense", image=photo, target="depth", prompt="the harbour")["outputs"]
    assert picture_of(artist, output).size == (64, 64)


def test_without_a_size_a_result_has_the_nearest_size_to_its_picture(artist: Project) -> None:
    tall = base64.b64encode(png_bytes(noise(2, 90, 200))).decode()
    data_url = f"data:image/png;base64,{tall}"
    (output,) = drawn(artist, task="edit", image=data_url, prompt="make it winter", size=None)["outputs"]
    assert output["height"] > output["width"]
    assert output["height"] % 32 == output["width"] % 32 == 0


def test_an_edit_of_an_edit_goes_on_from_the_drawn_picture(artist: Project, photo: str) -> None:
    (first,) = drawn(artist, task="edit", image=photo, prompt="make it winter")["outputs"]
    (second,) = drawn(artist, task="edit", image=first["id"], prompt="make it night")["outputs"]
    assert second["tokens_sha256"] != first["tokens_sha256"]
    assert artist.get(f"/v1/images/{second['id']}").json()["origin"] == "generated"


def test_a_mask_leaves_the_dark_part_as_it_was(artist: Project) -> None:
    (first,) = drawn(artist, prompt="a red circle")["outputs"]
    right_half = np.zeros((64, 64, 3), np.uint8)
    right_half[:, 32:] = 255
    mask = artist.upload(png_bytes(Picture.fromarray(right_half))).json()["id"]
    job = drawn(artist, task="edit", image=first["id"], mask=mask, prompt="make it blue")
    (edited,) = job["outputs"]
    assert job["usage"]["tokens_done"] == 8 * 4
    assert 0 < edited["changed_cells"] <= 8 * 4
    assert first["changed_cells"] is None
    before, after = (np.asarray(picture_of(artist, output)) for output in (first, edited))
    assert not np.array_equal(before[:, 32:], after[:, 32:])


def test_the_same_request_gives_the_same_picture_and_another_seed_another(artist: Project) -> None:
    def tokens(seed: int) -> str:
        return drawn(artist, prompt="a red circle", seed=seed)["outputs"][0]["tokens_sha256"]

    assert tokens(3) == tokens(3) != tokens(4)


def test_a_chosen_seed_draws_the_picture_again(artist: Project) -> None:
    first = drawn(artist, prompt="a red circle", seed=None)
    again = drawn(artist, prompt="a red circle", seed=first["request"]["seed"])
    assert again["outputs"][0]["tokens_sha256"] == first["outputs"][0]["tokens_sha256"]


def test_pictures_carry_the_noise_of_the_installation(artist: Project) -> None:
    job = drawn(artist, prompt="a red circle", size="128x128", seed=None)
    assert job["request"]["seed"] < WATERMARK_SEEDS
    file = artist.get(job["outputs"][0]["url"]).content
    check = artist.post("/v1/provenance/check", files={"file": file}).json()
    assert (check["drawn_here"], check["registry"]["match"]) == (True, "pixels")
    assert check["registry"]["image_id"] == job["outputs"][0]["id"]
    assert (check["watermark"]["state"], check["watermark"]["cells"]) == ("found", 256)
    assert check["watermark"]["p_value"] < 1e-12
    (model,) = artist.get("/v1/models").json()["data"]
    assert model["numerics"][0]["noise"].startswith("1 secret ")


def test_the_model_that_draws_is_offered_by_name(artist: Project) -> None:
    (model,) = artist.get("/v1/models").json()["data"]
    assert (model["id"], model["largest_side"]) == ("random", LARGEST_SIDE)
    assert set(model["tasks"]) == {"text_to_image", "image_pair", "subject", "control", "edit", "dense"}
    assert drawn(artist, prompt="a red circle", model="random")["outputs"]
    assert_problem(artist.submit(model="other"), ProblemCode.MODEL_UNAVAILABLE, "model")


IMAGE = "img_" + "0" * 26
WRONG = [
    ({"task": "edit"}, "image", "The task `edit` needs the field `image`."),
    ({"task": "subject"}, "image", "The task `subject` needs the field `image`."),
    (
        {"task": "control", "image": IMAGE},
        "control",
        "The task `control` needs the field `control`: depth, edges, hed or pose.",
    ),
    ({"task": "dense", "prompt": None}, "image", "The task `dense` needs the fields `image` and `target`."),
    (
        {"task": "image_pair"},
        "target",
        "The task `image_pair` needs the field `target`: depth, edges, hed or pose.",
    ),
    (
        {"task": "image_pair", "target": "segmentation"},
        "target",
        "draws no segmentation map; the task `dense` does.",
    ),
    ({"prompt": ""}, "prompt", "prompt: must not be blank"),
    ({"image": IMAGE}, "image", "The task `text_to_image` does not take the field `image`."),
    (
        {"task": "subject", "image": IMAGE, "mask": IMAGE},
        "mask",
        "The task `subject` does not take the field `mask`.",
    ),
    (
        {"task": "edit", "image": IMAGE, "control": "depth"},
        "control",
        "The task `edit` does not take the field `control`.",
    ),
    ({"task": "control", "image": IMAGE, "control": "lidar"}, "control", "'depth', 'edges', 'hed' or 'pose'"),
    ({"task": "dense", "image": IMAGE, "target": "lidar"}, "target", "'depth', 'segmentation'"),
    ({"task": "paint"}, "task", "'text_to_image'"),
    (
        {"start_by": "2030-01-02T00:00:00Z", "finish_by": "2030-01-01T00:00:00Z"},
        "start_by",
        "must not be later than finish_by",
    ),
    ({"size": "100x64"}, "size", "multiple of 32"),
    ({"size": "0x64"}, "size", "multiple of 32 from 32"),
    ({"size": "64"}, "size", "WIDTHxHEIGHT"),
    ({"size": "4096x64"}, "size", "to 2048"),
    ({"size": "1568x64"}, "size", "at most 1536x1536"),
    ({"task": "edit", "image": IMAGE, "size": "64x800"}, "size", "at most 1536x768"),
    ({"task": "edit", "image": IMAGE}, "image", "There is no image with this id"),
]


@pytest.mark.parametrize(("fields", "param", "words"), WRONG)
def test_what_cannot_be_drawn_is_refused_in_words_before_it_is_queued(
    artist: Project, fields: dict[str, Any], param: str, words: str
) -> None:
    before = artist.get("/v1/jobs?limit=1").json()["data"]
    problem = assert_problem(artist.submit(**fields), ProblemCode.INVALID_REQUEST, param)
    assert words in problem.detail
    assert artist.get("/v1/jobs?limit=1").json()["data"] == before
