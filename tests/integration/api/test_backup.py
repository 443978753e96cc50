"""A backup and its restore: rows, sessions and pictures are equal; a broken file restores nothing."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyrage
import pytest
from sqlalchemy import func, update

from infra.backup.errors import BackupFileError, BackupKeyError, RestoreRefusedError
from infra.local.stack import EmbeddedStack
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.storage import ObjectStorage
from shared.tables import ApiKey, Image
from tests.support.backups import Drill
from tests.support.gateway.clients import Project, png
from tests.support.gateway.running import running_gateway
from tests.support.gateway.sessions import Json, create, draw, post_turn, tree
from tests.support.killed_scripts import run_until_killed
from tests.support.servers.databases import administer, database_settings

KILLED_IN_THE_MIDDLE = """
import os, signal
from click.testing import CliRunner
from infra.backup import pictures
from infra.backup.commands import backup

def killing(*_):
    os.kill(os.getpid(), signal.SIGKILL)

pictures.ObjectStorage.get = killing
CliRunner().invoke(backup, ["{file}"])
"""


@pytest.fixture
def drill(
    stack: EmbeddedStack, database: Database, gateway_settings: GatewayProcessSettings, tmp_path: Path
) -> Iterator[Drill]:
    """The gateway's installation, and one with a database without tables."""
    name = f"test_{uuid4().hex}"
    assert stack.postgres is not None
    stack.postgres.set_up(name)
    settings = gateway_settings
    new_storage = settings.storage.model_copy(update={"prefix": f"{uuid4().hex}/"})
    new_database = database_settings(stack, name, as_owner=True)
    file = tmp_path / "luminary.backup"
    yield Drill(database, settings.database, settings.storage, new_database, new_storage, file)
    administer(stack, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def session(alice: Project, drill: Drill) -> Json:
    """A session with a given picture and two drawn turns, all with files; one job waits."""
    storage = ObjectStorage(drill.storage)
    with drill.database.transaction() as database:  # so that the gateway writes it no more
        database.execute(update(ApiKey).values(last_used_at=func.now()))
    picture = alice.upload(png(64, 48)).json()
    session = create(alice, title="Shapes", image=picture["id"])
    for prompt in ("add a tree", "make it blue"):
        post_turn(alice, session, prompt=prompt)
        draw(drill.database)
    with drill.database.transaction() as rows:
        for number, image in enumerate(rows.query(Image).filter(Image.origin == "generated")):
            stored = storage.put_image(f"prj_x/job/{number}", png(16, 16 + number), "image/png")
            image.storage_key, image.sha256 = stored.key, stored.sha256
    picture_id = tree(alice, session)["turns"][0]["candidates"][0]["image_id"]
    assert alice.get(f"/v1/images/{picture_id}/thumbnail").status_code == 200
    assert alice.submit(prompt="still waiting").status_code == 202
    return tree(alice, session)


def seen(project: Project, session: Json) -> dict[str, object]:
    """All that a client sees: the session, its jobs, and the hash of every picture."""
    jobs = project.get("/v1/jobs").json()["data"]
    images = [session["root_image_id"]]
    images += [candidate["image_id"] for turn in session["turns"] for candidate in turn["candidates"]]
    files = {name: project.get(f"/v1/images/{name}/content") for name in images}
    assert all(file.status_code == 200 for file in files.values())
    hashes = {name: hashlib.sha256(file.content).hexdigest() for name, file in files.items()}
    return {"session": tree(project, session), "jobs": jobs, "pictures": hashes}


def test_after_a_restore_clients_see_what_they_saw(
    alice: Project, session: Json, drill: Drill, gateway_settings: GatewayProcessSettings
) -> None:
    lines = {"file": ("requests.jsonl", b"{}\n")}
    file = alice.post("/openai/v1/files", data={"purpose": "batch"}, files=lines).json()
    before, rows = seen(alice, session), drill.rows()
    made = drill.backup()
    assert made.exit_code == 0, made.output
    assert "5 objects" in made.output  # three pictures, a thumbnail and a file
    assert drill.file.stat().st_mode & 0o777 == 0o600
    restored = drill.restore()
    assert restored.exit_code == 0, restored.output
    assert drill.new_rows() == rows
    second = {"database": drill.new_settings, "storage": drill.new_storage}
    with running_gateway(gateway_settings.model_copy(update=second)) as client:
        again = Project(client, alice.project_id, alice.token)
        assert seen(again, session) == before
        assert again.get(f"/openai/v1/files/{file['id']}/content").content == b"{}\n"


def test_an_encrypted_backup_opens_with_its_key_alone(session: Json, drill: Drill, tmp_path: Path) -> None:
    generate = pyrage.x25519.Identity.generate  # pyright: ignore[reportAttributeAccessIssue]
    keys = {name: generate() for name in ("right", "wrong")}
    for name, key in keys.items():
        (tmp_path / name).write_text(f"# key of {name}\n{key}\n")
    made = drill.backup("--recipient", keys["right"].to_public())
    assert made.exit_code == 0, made.output
    data = bytearray(drill.file.read_bytes())
    assert b"backup.json" not in data
    assert isinstance(drill.restore().exception, BackupKeyError)
    assert "another key" in str(drill.restore("--identity", tmp_path / "wrong").exception)
    right = ("--identity", tmp_path / "right")
    assert drill.restore(*right).exit_code == 0
    assert drill.new_rows() == drill.rows()
    data[-100] ^= 1
    drill.file.write_bytes(data)
    assert isinstance(drill.restore(*right, "--check").exception, BackupFileError)


def test_a_kill_leaves_no_file_that_looks_whole(session: Json, drill: Drill) -> None:
    run_until_killed(KILLED_IN_THE_MIDDLE.format(file=drill.file), drill.environment)
    assert not drill.file.exists()
    partial = drill.file.with_name(f"{drill.file.name}.partial")
    partial.rename(drill.file)
    assert isinstance(drill.restore().exception, BackupFileError)
    assert drill.new_rows() == {}
    drill.file.rename(partial)
    assert drill.backup().exit_code == 0
    assert not partial.exists()


@pytest.mark.parametrize("change", ["cut", "flip", "other"])
def test_a_damaged_file_changes_nothing(session: Json, drill: Drill, change: str) -> None:
    assert drill.backup().exit_code == 0
    data = bytearray(drill.file.read_bytes())
    if change == "flip":
        data[data.index(b"IHDR") + 4] ^= 1
    drill.file.write_bytes({"cut": data[: len(data) // 2], "flip": data, "other": b"no backup"}[change])
    assert isinstance(drill.restore().exception, BackupFileError)
    assert drill.new_rows() == {}


def test_a_lost_object_is_reported_and_marked(session: Json, drill: Drill) -> None:
    with drill.database.transaction() as rows:
        lost = rows.query(Image).filter(Image.origin == "uploaded").one()
    ObjectStorage(drill.storage).delete(lost.storage_key)
    assert "1 objects were not in the bucket" in drill.backup().output
    assert drill.restore().exit_code == 0
    restored = Database(drill.new_settings)
    with restored.transaction() as rows:
        assert rows.get_one(Image, lost.id).is_expired
    restored.dispose()


def test_a_restore_replaces_nothing_unasked_and_no_database_in_use(session: Json, drill: Drill) -> None:
    assert drill.backup().exit_code == 0
    assert "exists already" in str(drill.backup().exception)
    assert "services are connected" in str(drill.restore("--replace", into=drill.settings).exception)
    assert drill.restore().exit_code == 0
    refused = drill.restore().exception
    assert isinstance(refused, RestoreRefusedError)
    assert "--replace" in str(refused)
    assert drill.restore("--replace").exit_code == 0
    assert drill.new_rows() == drill.rows()
