"""Drawn pictures are sent with content credentials, and stored without."""

import io
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from sqlalchemy import update
from starlette.testclient import TestClient

from infra.local.signing_certificate import ASKED, signing_environment
from services.api.process.content_credentials import make_context
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.job_store import Answer, Output, StoredImage, UsageAmounts, succeed_job
from shared.settings import ProvenanceSettings
from shared.storage import ObjectStorage, answer_folder
from shared.tables import Project as ProjectRow
from shared.token_grid import TokenGrid
from tests.support.factories import must_claim
from tests.support.gateway.clients import Project, png
from tests.support.gateway.running import admit, running_gateway

BUDGET = 4096
"""Bytes that credentials may add to a file."""
FILE = png()


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> ProvenanceSettings:
    """Settings with a development certificate."""
    files = signing_environment(tmp_path_factory.mktemp("signing"), {ASKED: "true"})
    return ProvenanceSettings(
        certificate=Path(files["PROVENANCE_CERTIFICATE"]), private_key=Path(files["PROVENANCE_PRIVATE_KEY"])
    )


@pytest.fixture
def client(gateway_settings: GatewayProcessSettings, signing: ProvenanceSettings) -> Iterator[TestClient]:
    """A client of a gateway that signs."""
    with running_gateway(gateway_settings.model_copy(update={"provenance": signing})) as client:
        yield client


@pytest.fixture
def alice(database: Database, client: TestClient) -> Project:
    return admit(database, client, "alice")


@pytest.fixture
def bob(database: Database, client: TestClient) -> Project:
    return admit(database, client, "bob")


def draw(
    settings: GatewayProcessSettings, database: Database, project: Project, **fields: Any
) -> dict[str, Any]:
    """Draw FILE in a job; returns the job's output."""
    answer = project.submit(**fields)
    assert answer.status_code == 202, answer.text
    claimed = must_claim(database)
    folder = answer_folder(claimed.project_id, claimed.lease.job_id, 0)
    stored = ObjectStorage(settings.storage).put_image(folder, FILE, "image/png")
    image = StoredImage(stored.key, stored.sha256, "image/png", stored.byte_size, 48, 32)
    output = Output(image, TokenGrid(4, 6, tuple(range(24))), "t1")
    with database.transaction() as session:
        succeed_job(session, claimed.lease, Answer((output,), UsageAmounts(1, 9, 24, 0.1)))
    return project.get(f"/v1/jobs/{answer.json()['id']}").json()["outputs"][0]


def manifest_of(file: bytes, media_type: str) -> dict[str, Any]:
    """The active manifest of a file, whose signature and hashes are right."""
    from c2pa import Reader

    reader = Reader(media_type, io.BytesIO(file), context=make_context())
    assert reader.get_validation_state() == "Valid"
    manifest = reader.get_active_manifest()
    assert manifest is not None
    return manifest


def assertion(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    (found,) = (one["data"] for one in manifest["assertions"] if one["label"] == label)
    return found


@pytest.mark.parametrize("file_format", ["png", "webp", "jpeg"])
def test_a_drawn_picture_says_what_made_it(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database, file_format: str
) -> None:
    output = draw(gateway_settings, database, alice, model="tiny")
    path = f"{output['png_url']}?format={file_format}"
    signed, plain = (alice.get(f"{path}&credentials={wanted}") for wanted in ("true", "false"))
    assert 0 < len(signed.content) - len(plain.content) <= BUDGET
    pixels = [np.asarray(Picture.open(io.BytesIO(one.content))) for one in (signed, plain)]
    assert np.array_equal(pixels[0], pixels[1])
    manifest = manifest_of(signed.content, f"image/{file_format}")
    (action,) = assertion(manifest, "c2pa.actions.v2")["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert assertion(manifest, "c2pa.ai-disclosure")["modelName"] == "tiny"
    drawing = assertion(manifest, "org.luminary.drawing")
    assert (drawing["identifier"], drawing["tokensSha256"]) == (output["id"], output["tokens_sha256"])
    assert drawing["created"].startswith("20")
    assert "red circle" not in json.dumps(manifest)
    assert manifest["signature_info"]["issuer"] == "Luminary"


def test_the_stored_file_stays_as_it_is_and_is_not_signed_again_for_who_has_it(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> None:
    output = draw(gateway_settings, database, alice)
    stored = alice.get(f"{output['png_url']}?credentials=false")
    assert sha256(stored.content).hexdigest() == output["sha256"]
    assert not stored.headers["etag"].startswith("W/")
    first, second = (alice.get(output["png_url"]) for _ in range(2))
    assert first.content != second.content
    assert first.headers["etag"] == second.headers["etag"] == f"W/{stored.headers['etag']}"
    again = alice.get(output["png_url"], {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("cache-control", "content-disposition", "x-content-type-options"):
        assert first.headers[name] == stored.headers[name]


def test_an_edit_names_its_parent_and_keeps_an_upload_s_credentials(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> None:
    first = draw(gateway_settings, database, alice)
    edit = draw(gateway_settings, database, alice, task="edit", prompt="make it blue", image=first["id"])
    manifest = manifest_of(alice.get(edit["png_url"]).content, "image/png")
    (parent,) = manifest["ingredients"]
    assert (parent["title"], parent["relationship"]) == (first["id"], "parentOf")
    actions = [action["action"] for action in assertion(manifest, "c2pa.actions.v2")["actions"]]
    assert actions == ["c2pa.opened", "c2pa.edited"]
    foreign = alice.upload(alice.get(first["png_url"]).content).json()["id"]
    second = draw(gateway_settings, database, alice, task="edit", prompt="make it blue", image=foreign)
    (kept,) = manifest_of(alice.get(second["png_url"]).content, "image/png")["ingredients"]
    assert kept["title"] == foreign
    assert kept["active_manifest"].startswith("urn:c2pa:")


def test_uploads_and_projects_that_opt_out_are_not_signed(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> None:
    upload = alice.upload(FILE).json()
    assert alice.get(upload["url"]).content == FILE
    output = draw(gateway_settings, database, alice)
    with database.transaction() as session:
        session.execute(update(ProjectRow).values(content_credentials=False))
    assert alice.get(output["png_url"]).content == FILE


def test_a_check_tells_own_credentials_from_changed_and_missing_ones(
    gateway_settings: GatewayProcessSettings, alice: Project, bob: Project, database: Database
) -> None:
    output = draw(gateway_settings, database, alice)
    signed = alice.get(f"{output['png_url']}?format=jpeg").content

    def layer(file: bytes) -> dict[str, Any]:
        return bob.post("/v1/provenance/check", files={"file": file}).json()["content_credentials"]

    own = {"state": "found", "validation": "valid", "issuer": "Luminary", "generator": "Luminary"}
    assert layer(signed) == own
    assert layer(signed + b"more") == {**own, "state": "not_found", "validation": "invalid"}
    assert layer(FILE) == dict.fromkeys(own) | {"state": "not_found"}
