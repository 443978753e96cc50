"""The import of an exported session restores it bit by bit, with new ids, in any project and installation."""

import base64
import io
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image as Picture
from sqlalchemy import func, select

from infra.local.postgres import OWNER
from infra.local.stack import EmbeddedStack
from services.api.problems.codes import ProblemCode
from services.api.sessions import import_session
from services.api.settings import GatewayProcessSettings
from services.worker.broker.celery_app import create_celery_app
from services.worker.maintenance.io_worker import IoWorker
from shared.database import Database
from shared.events import EventPublisher
from shared.ids import IdKind, parse_id
from shared.storage import ObjectMissingError, ObjectStorage, StorageError
from shared.tables import Image, ImageTokens, UsageRecord
from tests.support.factories import claim
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.exports import draw_files, edited, export, files_of, imported, send_import, zipped
from tests.support.gateway.running import admit, running_gateway
from tests.support.gateway.sessions import (
    DATA_URL,
    Json,
    create,
    fail,
    patch,
    post_turn,
    remove,
    tree,
)
from tests.support.interleaving import let_pictures_expire
from tests.support.servers.databases import administer, database_settings


@pytest.fixture
def storage(gateway_settings: GatewayProcessSettings) -> ObjectStorage:
    """The objects of the gateway."""
    return ObjectStorage(gateway_settings.storage)


def half_white() -> str:
    """A mask that frees the left half of a picture."""
    mask, buffer = Picture.new("L", (64, 64), 0), io.BytesIO()
    mask.paste(255, (0, 0, 32, 64))
    mask.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture
def told(alice: Project, database: Database, storage: ObjectStorage) -> Json:
    """A session with a root, branches, a mask, a star, a failure, a deleted turn and an undone head."""
    session = create(alice, title="Shapes", note="of paper", image=DATA_URL, metadata={"shelf": "3"})
    first = post_turn(alice, session, prompt="add a tree", n=2, seed=1, metadata={"wind": "west"})
    draw_files(database, storage, 10, 11)
    patch(alice, f"/v1/sessions/{session['id']}/turns/{first['id']}", name="tree", note="tall")
    post_turn(alice, session, prompt="make it blue", mask=half_white(), **{"from": "root"})
    draw_files(database, storage, 20)
    gone = post_turn(alice, session, prompt="make it red")
    draw_files(database, storage, 30)
    assert remove(alice, f"/v1/sessions/{session['id']}/turns/{gone['id']}", confirm=1).status_code == 204
    second = tree(alice, session)["turns"][0]["candidates"][1]["id"]
    post_turn(alice, session, prompt="make it old", **{"from": second})
    draw_files(database, storage, 40)
    post_turn(alice, session, prompt="make it fail")
    fail(database)
    alice.client.put(f"/v1/sessions/{session['id']}/stars/{second}", headers=alice.authorization)
    alice.post(f"/v1/sessions/{session['id']}/head/undo")
    return tree(alice, session)


@pytest.fixture
def carol(
    stack: EmbeddedStack, template_database: str, gateway_settings: GatewayProcessSettings
) -> Iterator[Project]:
    """A project of another installation, with its own database and bucket prefix."""
    name = f"test_{uuid4().hex}"
    administer(stack, "CREATE DATABASE {} TEMPLATE {} OWNER {}", name, template_database, OWNER)
    elsewhere = gateway_settings.model_copy(
        update={
            "database": database_settings(stack, name),
            "storage": gateway_settings.storage.model_copy(update={"prefix": f"{uuid4().hex}/"}),
        }
    )
    database = Database(elsewhere.database)
    with running_gateway(elsewhere) as client:
        yield admit(database, client, "carol")
    database.dispose()
    administer(stack, "DROP DATABASE {} WITH (FORCE)", name)


def shape(project: Project, session: Json) -> Json:
    """A session without ids: turns by number, candidates by turn and index, pictures by their file."""
    place = {None: None}
    for turn in session["turns"]:
        place[turn["id"]] = turn["number"]
        place |= {one["id"]: (turn["number"], one["index"]) for one in turn["candidates"]}

    def content(image_id: str | None) -> bytes | None:
        return None if image_id is None else project.get(f"/v1/images/{image_id}/content").content

    jobs = [project.get(f"/v1/jobs/{turn['job_id']}").json() for turn in session["turns"]]
    return {
        **{name: session[name] for name in ("title", "note", "metadata", "turn_count")},
        "root": content(session["root_image_id"]),
        "head": {
            **{name: session["head"][name] for name in ("version", "can_undo", "can_redo")},
            "at": place[session["head"]["candidate_id"]],
            "picture": content(session["head"]["image_id"]),
        },
        "turns": [
            {
                **{name: turn[name] for name in ("number", "name", "note", "metadata", "task", "prompt")},
                **{name: turn[name] for name in ("status", "progress", "error", "created_at", "finished_at")},
                "parent": (place[turn["parent"]["turn_id"]], place[turn["parent"]["candidate_id"]]),
                "given": content(turn["parent"]["image_id"]),
                "stars": [one["starred"] for one in turn["candidates"]],
                "pictures": [content(one["image_id"]) for one in turn["candidates"]],
                "codes": [output["tokens_sha256"] for output in job["outputs"]],
                "scores": [output["score"] for output in job["outputs"]],
                "seed": job["request"]["seed"],
                "mask": job["mask"] and project.get(f"/v1/jobs/{job['id']}/mask").content,
                "drawn from": content(job["request"].get("image")),
            }
            for turn, job in zip(session["turns"], jobs, strict=True)
        ],
    }


def test_another_project_gets_an_equal_session_with_new_ids(
    alice: Project, bob: Project, database: Database, told: Json
) -> None:
    data = export(alice, told)
    session = imported(bob, data)
    assert session["imported_from"] == told["id"]
    assert shape(bob, session) == shape(alice, told)
    assert [turn["status"] for turn in session["turns"]] == ["succeeded"] * 3 + ["failed"]
    known = {told["id"], *(turn["id"] for turn in told["turns"]), *(turn["job_id"] for turn in told["turns"])}
    assert not [one for one in known if one in str({**session, "imported_from": None})]
    redone = bob.post(f"/v1/sessions/{session['id']}/head/redo").json()
    assert redone["candidate_id"] == session["turns"][2]["candidates"][0]["id"]
    with database.transaction() as rows:
        used = select(func.count()).select_from(UsageRecord).where(UsageRecord.project_id == bob.project_id)
        assert rows.scalar(used) == 0
    assert claim(database) is None


def test_another_installation_gets_an_equal_session_and_can_export_it_again(
    alice: Project, carol: Project, told: Json
) -> None:
    session = imported(carol, export(alice, told))
    assert shape(carol, session) == shape(alice, told)
    again = imported(alice, export(carol, session))
    assert shape(alice, again) == shape(alice, told)
    assert again["imported_from"] == session["id"]


def test_a_turn_below_an_imported_picture_starts_from_the_same_codes(
    alice: Project, bob: Project, database: Database, storage: ObjectStorage, told: Json
) -> None:
    session = imported(bob, export(alice, told))
    turn = post_turn(bob, session, prompt="add a cloud")
    image = parse_id(IdKind.IMAGE, session["head"]["image_id"])
    with database.transaction() as rows:
        codes = rows.scalars(select(ImageTokens.grid).where(ImageTokens.image_id == image)).all()
    assert codes == [files_of(export(alice, told))[grid_of(told)]]
    draw_files(database, storage, 50)
    assert tree(bob, session)["head"]["turn_id"] == turn["id"]
    assert tree(bob, session)["turns"][-1]["number"] == told["turns"][-1]["number"] + 1


def grid_of(session: Json) -> str:
    """Path of the codes of the head in the export."""
    return f"codes/{session['head']['image_id']}-tiny-16x16.grid"


def test_a_repeated_import_makes_one_session(alice: Project, bob: Project, told: Json) -> None:
    data, key = export(alice, told), {"Idempotency-Key": "once"}
    first, second = (send_import(bob, data, key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert (second.json(), second.headers["idempotent-replayed"]) == (first.json(), "true")
    assert len(bob.get("/v1/sessions").json()["data"]) == 1
    other = send_import(bob, export(alice, create(alice, title="Other")), key)
    assert_problem(other, ProblemCode.IDEMPOTENCY_KEY_REUSED)


def test_a_turn_that_still_waits_is_imported_as_canceled(alice: Project, bob: Project, told: Json) -> None:
    waiting = post_turn(alice, told, prompt="add a cloud")
    post_turn(alice, told, prompt="add a bird", **{"from": waiting["id"]})
    session = imported(bob, export(alice, told))
    assert [turn["status"] for turn in session["turns"][-2:]] == ["canceled"] * 2
    assert session["turns"][-1]["parent"]["turn_id"] == session["turns"][-2]["id"]
    events = bob.get(f"/v1/jobs/{session['turns'][-1]['job_id']}/events").text
    assert "event: job.canceled" in events


def test_a_picture_that_had_expired_is_imported_without_its_file_but_with_its_codes(
    alice: Project, bob: Project, database: Database, storage: ObjectStorage, told: Json
) -> None:
    with database.transaction() as rows:
        for image in rows.scalars(select(Image).where(Image.project_id == alice.project_id)):
            storage.delete(image.storage_key)
    session = imported(bob, export(alice, told))
    picture = session["turns"][0]["candidates"][0]
    assert picture["expired"]
    assert_problem(bob.get(f"/v1/images/{picture['image_id']}/content"), ProblemCode.IMAGE_EXPIRED)
    job = bob.get(f"/v1/jobs/{session['turns'][0]['job_id']}").json()
    before = alice.get(f"/v1/jobs/{told['turns'][0]['job_id']}").json()
    assert job["outputs"][0]["tokens_sha256"] == before["outputs"][0]["tokens_sha256"]


def test_ids_of_other_projects_in_a_zip_file_reach_nothing(alice: Project, bob: Project, told: Json) -> None:
    secret = bob.upload(png(8, 8)).json()["id"]
    name = f"jobs/{told['turns'][0]['job_id']}.json"
    regions = [{"image": secret, "x": 0, "y": 0, "width": 8, "height": 8}]

    def add_secret(job: Json) -> None:
        job["request"].update(image=secret, keep_from=secret, keep_rows=1, region_from=regions)

    session = imported(alice, zipped(edited(files_of(export(alice, told)), name, add_secret)))
    request = alice.get(f"/v1/jobs/{session['turns'][0]['job_id']}").json()["request"]
    for given in (request["image"], request["keep_from"], request["region_from"][0]["image"]):
        assert given != secret
        assert_problem(alice.get(f"/v1/images/{given}"), ProblemCode.NOT_FOUND)
    own = alice.get(f"/v1/sessions/{session['id']}/export").content
    assert f"pictures/{secret}.png" not in files_of(own)


@pytest.fixture
def sweep(
    gateway_settings: GatewayProcessSettings,
    database: Database,
    storage: ObjectStorage,
    publisher: EventPublisher,
) -> Iterator[Callable[[], None]]:
    """One round of the io worker that removes expired pictures."""
    with create_celery_app(gateway_settings.broker) as app:
        yield IoWorker(app, database, storage, publisher, gateway_settings.jobs).rounds.clean


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import gets no answer after it has stored its objects, as if the gateway had died there."""
    store = import_session.store_pictures

    async def store_and_stop(*arguments: Any) -> None:
        await store(*arguments)
        raise StorageError("no answer")

    monkeypatch.setattr(import_session, "store_pictures", store_and_stop)


@pytest.mark.usefixtures("stopping")
def test_an_import_that_stops_between_objects_and_rows_leaves_nothing_behind(
    alice: Project, bob: Project, database: Database, storage: ObjectStorage, sweep: Callable[[], None]
) -> None:
    data = export(alice, create(alice, image=DATA_URL))
    assert_problem(send_import(bob, data), ProblemCode.STORAGE_UNAVAILABLE)
    assert bob.get("/v1/sessions").json()["data"] == []
    with database.transaction() as rows:
        [left] = rows.scalars(select(Image.storage_key).where(Image.project_id == bob.project_id)).all()
    assert storage.get(left) == png(64, 64)
    let_pictures_expire(database)
    sweep()
    with pytest.raises(ObjectMissingError):
        storage.get(left)
