"""Pictures of the registry are recognised, and nobody learns about another project's pictures."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.fingerprints import fingerprint
from shared.job_store import Answer, Output, StoredImage, UsageAmounts, succeed_job
from shared.tables import PictureFingerprint
from shared.tables import Project as ProjectRow
from shared.token_grid import TokenGrid
from tests.support.factories import must_claim
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.running import running_gateway

PATH = "/v1/provenance/check"
FILE = png()
GRID = TokenGrid(4, 4, tuple(range(16)))


def draw(database: Database, project: Project) -> tuple[str, str]:
    """Draw FILE in a job of the project; returns the ids of job and picture."""
    job_id = project.submit().json()["id"]
    stored = StoredImage(f"prj/{job_id}.png", bytes(32), "image/png", len(FILE), 32, 32)
    output = Output(stored, GRID, "t1", fingerprint=fingerprint(FILE, GRID))
    with database.transaction() as session:
        succeed_job(session, must_claim(database).lease, Answer((output,), UsageAmounts(1, 9, 16, 0.1)))
    return job_id, project.get(f"/v1/jobs/{job_id}").json()["outputs"][0]["id"]


def with_text(file: bytes) -> bytes:
    """The same pixels with other metadata."""
    text, buffer = PngInfo(), io.BytesIO()
    text.add_text("Comment", "mine")
    Picture.open(io.BytesIO(file)).save(buffer, "PNG", pnginfo=text)
    return buffer.getvalue()


def test_a_file_is_found_by_its_pixels_and_named_to_its_own_project_alone(
    alice: Project, bob: Project, database: Database
) -> None:
    job_id, image_id = draw(database, alice)
    found = alice.post(PATH, files={"file": with_text(FILE)}).json()
    assert (found["drawn_here"], found["width"], found["media_type"]) == (True, 48, "image/png")
    layer = found["registry"]
    assert (layer["state"], layer["match"]) == ("found", "pixels")
    assert (layer["image_id"], layer["job_id"], layer["p_value"] < 1e-70) == (image_id, job_id, True)
    other = bob.post(PATH, files={"file": FILE})
    assert {**other.json()["registry"], "image_id": image_id, "job_id": job_id} == layer
    assert image_id not in other.text
    assert job_id not in other.text


def test_another_project_s_equal_picture_does_not_hide_one_s_own(
    alice: Project, bob: Project, database: Database
) -> None:
    draw(database, bob)
    _, image_id = draw(database, alice)
    assert alice.post(PATH, files={"file": FILE}).json()["registry"]["image_id"] == image_id


def test_without_the_tokenizer_service_other_pictures_are_not_judged(alice: Project) -> None:
    answer = alice.post(PATH, files={"file": png(colour=(1, 2, 3))}).json()
    states = answer["registry"]["state"], answer["watermark"]["state"]
    assert (answer["drawn_here"], states) == (False, ("unavailable", "unavailable"))


def test_a_project_may_keep_its_pictures_out_of_the_registry(alice: Project, database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(ProjectRow).values(fingerprints=False))
    draw(database, alice)
    with database.transaction() as session:
        assert session.scalars(select(func.count()).select_from(PictureFingerprint)).one() == 0


def test_a_fingerprint_goes_with_its_job(alice: Project, database: Database) -> None:
    job_id, _ = draw(database, alice)
    assert alice.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert not alice.post(PATH, files={"file": FILE}).json()["drawn_here"]


def test_what_is_no_picture_is_refused(alice: Project, client: TestClient) -> None:
    assert_problem(alice.post(PATH, files={"file": b"text"}), ProblemCode.IMAGE_UNREADABLE, "image")
    assert_problem(client.post(PATH, files={"file": FILE}), ProblemCode.UNAUTHENTICATED, "Authorization")


@pytest.fixture
def open_client(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> Iterator[TestClient]:
    """A client without a key of a gateway where everybody may check two pictures a minute."""
    draw(database, alice)
    gateway_settings.gateway.public_checks = True
    gateway_settings.gateway.checks_per_minute = 2
    with running_gateway(gateway_settings) as client:
        yield client


def test_everybody_may_check_if_the_operator_allows_it(open_client: TestClient) -> None:
    layer = open_client.post(PATH, files={"file": FILE}).json()["registry"]
    assert (layer["match"], layer["image_id"], layer["job_id"]) == ("pixels", None, None)
    wrong = {"Authorization": "Bearer lum_wrong"}
    assert_problem(
        open_client.post(PATH, files={"file": FILE}, headers=wrong),
        ProblemCode.UNAUTHENTICATED,
        "Authorization",
    )
    assert open_client.post(PATH, files={"file": FILE}).status_code == 200
    refused = open_client.post(PATH, files={"file": FILE})
    assert_problem(refused, ProblemCode.TOO_MANY_CHECKS)
    assert 1 <= int(refused.headers["retry-after"]) <= 31
    assert_problem(open_client.get("/v1/jobs"), ProblemCode.UNAUTHENTICATED, "Authorization")
