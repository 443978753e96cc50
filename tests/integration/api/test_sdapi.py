"""The API of A1111, with the requests that its clients send, rebuilt from their sources.

Open WebUI: backend/open_webui/routers/images.py. SillyTavern: src/endpoints/stable-diffusion.js and
public/scripts/extensions/stable-diffusion/index.js. LibreChat:
api/app/clients/tools/structured/StableDiffusion.js.
"""

import base64
import json
from concurrent.futures import Future
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from infra.local.stack import EmbeddedStack
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import Lease, Progress, fail_job, save_progress
from shared.jobs import JobState, Phase
from shared.partial_pictures import PartialChannel, PartialPicture
from shared.storage import ObjectStorage
from shared.tables import Job, WorkerRow
from tests.support.claimed_jobs import in_thread
from tests.support.factories import read_job
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.drawing import claim_soon, draw_next
from tests.support.gateway.running import admit, running_gateway
from tests.support.platforms.platform import eventually
from tests.support.source_tree import ROOT

OFFER = {"name": "tiny", "sizes": {"text_to_image": ["64x64", "96x64"], "edit": ["64x64"]}}
MASKS = ROOT / "tests/cases/mask_alpha"
PICTURE = base64.b64encode(png(64, 64)).decode()


@pytest.fixture
def gateway_settings(gateway_settings: GatewayProcessSettings) -> GatewayProcessSettings:
    """A gateway whose requests end soon, also in a test that fails."""
    hasty = gateway_settings.gateway.model_copy(update={"openai_wait_seconds": 30.0})
    return gateway_settings.model_copy(update={"gateway": hasty})


@pytest.fixture
def storage(gateway_settings: GatewayProcessSettings) -> ObjectStorage:
    """A client of the gateway's bucket prefix."""
    return ObjectStorage(gateway_settings.storage)


@pytest.fixture(autouse=True)
def worker(database: Database) -> None:
    """A running worker with a model; the tests claim and draw in its place."""
    with database.transaction() as session:
        session.add(WorkerRow(id="w", queues=["generate"], slots=1, model=OFFER))


class WebUi:
    """A client of A1111 with Basic authentication: the key is the password."""

    def __init__(self, project: Project, user: str = "open-webui") -> None:
        encoded = base64.b64encode(f"{user}:{project.token}".encode()).decode()
        self._client, self._headers = project.client, {"Authorization": f"Basic {encoded}"}

    def get(self, path: str) -> httpx2.Response:
        return self._client.get(f"/sdapi/v1/{path}", headers=self._headers)

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        return self._client.post(f"/sdapi/v1/{path}", headers=self._headers, json=body)

    def drawing(self, path: str, **body: Any) -> "Future[httpx2.Response]":
        """Send a request that ends when its picture is drawn."""
        return in_thread(lambda: self.post(path, body))


def answer_of(future: "Future[httpx2.Response]") -> httpx2.Response:
    return future.result(timeout=30)


def test_open_webui_finds_the_model_and_draws(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    ui = WebUi(alice)
    options = ui.get("options").json()
    assert options["sd_model_checkpoint"] == "tiny"
    assert ui.post("options", options).status_code == 200
    assert [(model["title"], model["model_name"]) for model in ui.get("sd-models").json()] == [
        ("tiny", "tiny")
    ]

    wanted = {"prompt": "a red house", "batch_size": 2, "width": 512, "height": 512, "steps": 50}
    answer = ui.drawing("txt2img", **wanted, negative_prompt="people")
    drawn = draw_next(database, storage).request
    assert (drawn["size"], drawn["n"], drawn["negative_prompt"]) == ("64x64", 2, "people")

    told = answer_of(answer).json()
    assert [base64.b64decode(image)[1:4] for image in told["images"]] == [b"PNG", b"PNG"]
    info = json.loads(told["info"])
    assert (info["width"], info["height"], info["all_seeds"]) == (64, 64, [drawn["seed"]] * 2)
    assert told["parameters"]["seed"] == drawn["seed"]
    assert "steps" not in told["parameters"]


def test_librechat_reads_size_seed_and_description(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    payload = {"prompt": "a boat", "negative_prompt": "cgi, 3d", "cfg_scale": 4.5, "steps": 22}
    answer = WebUi(alice, "").drawing("txt2img", **payload, width=1024, height=768)
    drawn = draw_next(database, storage, (96, 64)).request
    assert (drawn["size"], drawn["guidance_scale"]) == ("96x64", 4.5)
    told = answer_of(answer).json()
    info = json.loads(told["info"])
    assert (info["height"], info["width"], info["seed"]) == (64, 96, drawn["seed"])
    last = info["infotexts"][0].split("\n").pop()
    assert f"Seed: {drawn['seed']}, Candidate: 0, Size: 96x64, Model: tiny" in last


def test_sillytavern_shows_its_lists_draws_and_watches_the_progress(
    alice: Project, database: Database, storage: ObjectStorage, stack: EmbeddedStack
) -> None:
    ui = WebUi(alice, "silly")
    assert ui.get("options").status_code == 200
    names = [ui.get(name).json()[0]["name"] for name in ("samplers", "schedulers", "upscalers")]
    assert names == ["Luminary", "automatic", "None"]
    assert [ui.get(name).json() for name in ("latent-upscale-modes", "sd-vae", "loras")] == [[], [], []]
    idle = ui.get("progress").json()
    assert (idle["progress"], idle["state"]["job_count"]) == (0.0, 0)

    body = {
        "url": "http://127.0.0.1:7860",
        "auth": "silly:secret",
        "prompt": "a knight",
        "negative_prompt": "",
        "sampler_name": "Luminary",
        "scheduler": "automatic",
        "steps": 20,
        "cfg_scale": 7,
        "width": 512,
        "height": 512,
        "restore_faces": False,
        "enable_hr": False,
        "hr_upscaler": "None",
        "hr_scale": 2,
        "denoising_strength": 0.7,
        "hr_second_pass_steps": 0,
        "override_settings": {"CLIP_stop_at_last_layers": 1},
        "override_settings_restore_afterwards": True,
        "clip_skip": 1,
        "save_images": True,
        "send_images": True,
        "do_not_save_grid": False,
        "do_not_save_samples": False,
    }
    answer = ui.drawing("txt2img", **body)
    claimed = claim_soon(database)
    with database.transaction() as session:
        save_progress(session, claimed.lease, Progress(Phase.GENERATING, 16, 64, eta_seconds=9.0))
    assert "secret" not in json.dumps(claimed.request)
    told = ui.get("progress").json()
    assert (told["progress"], told["textinfo"], told["current_image"]) == (0.25, "generating", None)
    assert (told["state"]["sampling_step"], told["state"]["job_count"]) == (16, 1)
    assert WebUi(alice, "another").get("progress").json()["state"]["job_count"] == 0

    channel = PartialChannel(stack.environment["REDIS_URL"])
    partial = PartialPicture(
        job_id=claimed.lease.job_id,
        project_id=alice.project_id,
        attempt=1,
        index=0,
        rows_done=2,
        rows_total=8,
        media_type="image/webp",
        picture=b"a picture",
        is_among_few=True,
    )
    eventually(lambda: channel.watched([(claimed.lease.job_id, alice.project_id)]), "a watched job")

    def preview() -> str | None:
        channel.send(partial)
        return ui.get("progress").json()["current_image"]

    assert base64.b64decode(eventually(preview, "a preview")) == b"a picture"
    assert ui.get("progress?skip_current_image=true").json()["current_image"] is None
    channel.close()

    assert ui.post("interrupt").json() == {}
    with database.transaction() as session:
        assert session.get_one(Job, claimed.lease.job_id).state == JobState.CANCELING
    end_canceled(database, claimed.lease)
    assert_problem(answer_of(answer), ProblemCode.INVALID_REQUEST, "job")
    assert ui.get("progress").json()["state"]["job_count"] == 0
    assert ui.post("interrupt").json() == {}


def end_canceled(database: Database, lease: Lease) -> None:
    """Act as the worker that was told to stop."""
    with database.transaction() as session:
        fail_job(session, lease, JobError(JobErrorCode.INTERNAL_ERROR, "stopped"))


def test_an_edit_with_an_inverted_mask_keeps_what_is_white(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    mask = base64.b64encode((MASKS / "white_on_black.png").read_bytes()).decode()
    fields = {"prompt": "make it blue", "init_images": [PICTURE], "mask": mask, "denoising_strength": 0.75}
    answer = WebUi(alice).drawing("img2img", **fields, inpainting_mask_invert=1)
    drawn = draw_next(database, storage).request
    assert answer_of(answer).status_code == 200
    assert (drawn["task"], drawn["mask_mode"]) == ("edit", "black_edits")
    [job] = alice.get("/v1/jobs").json()["data"]
    assert (job["mask"]["cells_free"], job["mask"]["cells_total"]) == (48, 64)


def test_a_large_picture_is_read_without_parsing_it(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    noise = base64.b64encode(png(64, 64) + bytes(200_000)).decode()
    answer = WebUi(alice).drawing("img2img", prompt="make it blue", init_images=[noise])
    assert draw_next(database, storage).request["image"].startswith("img_")
    assert answer_of(answer).status_code == 200


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"enable_hr": True}, "enable_hr"),
    ({"script_name": "x/y plot"}, "script_name"),
    ({"alwayson_scripts": {"controlnet": {}}}, "alwayson_scripts"),
    ({"batch_size": 4, "n_iter": 4}, "batch_size"),
    ({"width": 512}, "width"),
    ({"negative_prompt": "people", "cfg_scale": 1}, "negative_prompt"),
    ({"prompt": " "}, "prompt"),
    ({"seed": "seven"}, "seed"),
]


def test_what_cannot_be_drawn_is_refused_by_name(alice: Project) -> None:
    for fields, param in REFUSED:
        answer = WebUi(alice).post("txt2img", {"prompt": "a house", **fields})
        assert_problem(answer, ProblemCode.INVALID_REQUEST, param)
    assert alice.get("/v1/jobs").json()["data"] == []


def test_a_model_that_no_worker_has_is_refused(alice: Project) -> None:
    ui = WebUi(alice)
    body = {"prompt": "a house", "override_settings": {"sd_model_checkpoint": "sdxl"}}
    assert_problem(ui.post("txt2img", body), ProblemCode.MODEL_UNAVAILABLE, "model")
    refused = ui.post("options", {"sd_model_checkpoint": "sdxl"})
    assert_problem(refused, ProblemCode.INVALID_REQUEST, "sd_model_checkpoint")


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (JobErrorCode.INTERNAL_ERROR, ProblemCode.JOB_FAILED),
        (JobErrorCode.INVALID_REQUEST, ProblemCode.INVALID_REQUEST),
    ],
)
def test_a_failed_job_is_answered_with_its_error(
    alice: Project, database: Database, code: JobErrorCode, problem: ProblemCode
) -> None:
    answer = WebUi(alice).drawing("txt2img", prompt="a house")
    with database.transaction() as session:
        fail_job(session, claim_soon(database).lease, JobError(code, "The prompt is too long."))
    told = answer_of(answer)
    assert "The prompt is too long." in assert_problem(told, problem).detail
    assert told.headers["x-should-retry"] == "false"


def test_a_job_that_takes_long_goes_on_and_the_answer_names_it(
    database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    hasty = gateway_settings.gateway.model_copy(update={"openai_wait_seconds": 0.05})
    with running_gateway(gateway_settings.model_copy(update={"gateway": hasty})) as client:
        answer = WebUi(admit(database, client, "hasty")).post("txt2img", {"prompt": "a house"})
    told = assert_problem(answer, ProblemCode.JOB_NOT_ENDED)
    job_id = parse_id(IdKind.JOB, told.detail.rpartition("/")[2].removesuffix("."))
    assert read_job(database, job_id).state == JobState.QUEUED


def test_a_repeated_request_with_a_key_draws_once(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    def send() -> httpx2.Response:
        return alice.post("/sdapi/v1/txt2img", {"Idempotency-Key": "one"}, json={"prompt": "a house"})

    first = in_thread(send)
    draw_next(database, storage)
    assert answer_of(first).json() == send().json()
    with database.transaction() as session:
        assert len(session.scalars(select(Job.id)).all()) == 1


WRONG_KEYS = ["Basic", "Basic ???", "Basic eDo=", "Basic eDpsdW0=", "Bearer x"]


def test_without_a_key_the_door_asks_for_a_password(client: TestClient) -> None:
    assert "Basic" in client.get("/sdapi/v1/options").headers["www-authenticate"]
    not_utf8 = base64.b64encode(b"\xff:x").decode()
    for wrong in (*WRONG_KEYS, f"Basic {not_utf8}"):
        answer = client.get("/sdapi/v1/options", headers={"Authorization": wrong})
        assert_problem(answer, ProblemCode.UNAUTHENTICATED)


def test_a_password_opens_no_other_path_and_nothing_of_another_project(alice: Project, bob: Project) -> None:
    encoded = base64.b64encode(f"x:{alice.token}".encode()).decode()
    answer = alice.client.get("/v1/jobs", headers={"Authorization": f"Basic {encoded}"})
    assert_problem(answer, ProblemCode.UNAUTHENTICATED)
    alice.post("/v1/jobs", json={"prompt": "a house", "metadata": {"a1111_user": "open-webui"}})
    assert WebUi(alice).get("progress").json()["state"]["job_count"] == 1
    assert WebUi(bob).get("progress").json()["state"]["job_count"] == 0
    WebUi(bob).post("interrupt")
    assert [job["status"] for job in alice.get("/v1/jobs").json()["data"]] == ["queued"]
    body = {"prompt": "blue", "init_images": [alice.upload(png()).json()["id"]]}
    assert_problem(WebUi(bob).post("img2img", body), ProblemCode.INVALID_REQUEST, "image")
