"""Delete an ended job: its files and rows go, its usage stays, and no session loses a turn."""

from uuid import UUID

import pytest
from sqlalchemy import func, select

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_store import Answer, succeed_job
from shared.job_store.records import Output, StoredImage, UsageAmounts
from shared.storage import ObjectMissingError, ObjectStorage, StorageError, answer_folder
from shared.tables import Base, Candidate, Image, Job, SessionRow, Turn, UsageRecord
from shared.token_grid import TokenGrid
from tests.support.factories import must_claim
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.open_transactions import counted_at_deletions


@pytest.fixture
def storage(gateway_settings: GatewayProcessSettings) -> ObjectStorage:
    """A client of the gateway's bucket prefix."""
    return ObjectStorage(gateway_settings.storage)


def draw(alice: Project, database: Database, storage: ObjectStorage, n: int = 2) -> str:
    """A succeeded job with stored pictures; its path."""
    path = alice.submit(n=n).headers["location"].removeprefix("http://testserver")
    lease = must_claim(database).lease
    outputs: list[Output] = []
    for index in range(n):
        data = png(colour=(index, 0, 0))
        stored = storage.put_image(answer_folder(alice.project_id, lease.job_id, index), data, "image/png")
        image = StoredImage(stored.key, stored.sha256, "image/png", stored.byte_size, 48, 32)
        outputs.append(Output(image, TokenGrid(2, 1, (1, 2)), "tiny"))
    with database.transaction() as session:
        succeed_job(session, lease, Answer(tuple(outputs), UsageAmounts(n, 5, 4, 0.5)))
    return path


def id_of(path: str) -> UUID:
    return parse_id(IdKind.JOB, path.rpartition("/")[2])


def rows_left(database: Database) -> dict[str, int]:
    """How many rows each table has that belong to jobs and pictures."""
    tables = ("jobs", "job_requests", "job_events", "images", "image_tokens", "candidates", "deliveries")
    with database.transaction() as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(Base.metadata.tables[name]))
            for name in tables
        }
    return {name: count for name, count in counts.items() if count}


def test_files_and_rows_of_a_deleted_job_are_gone_and_its_usage_stays(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    path = draw(alice, database, storage)
    outputs = alice.get(path).json()["outputs"]
    with database.transaction() as session:
        keys = list(session.scalars(select(Image.storage_key)))
    assert all(alice.get(output["url"]).status_code == 200 for output in outputs)

    answer = alice.delete(path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(alice.get(path), ProblemCode.NOT_FOUND)
    assert_problem(alice.get(outputs[0]["url"]), ProblemCode.NOT_FOUND)
    assert rows_left(database) == {}
    for key in keys:
        with pytest.raises(ObjectMissingError):
            storage.get(key)
    with database.transaction() as session:
        assert session.get_one(UsageRecord, id_of(path)).tokens_done == 4
    assert_problem(alice.delete(path), ProblemCode.NOT_FOUND, "job_id")


def test_no_transaction_is_open_while_files_are_deleted(
    alice: Project, database: Database, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw(alice, database, storage)
    open_transactions = counted_at_deletions(monkeypatch, database)
    assert alice.delete(path).status_code == 204
    assert open_transactions == [0] * 4


def test_a_deletion_that_the_storage_interrupts_is_ended_by_a_repetition(
    alice: Project, database: Database, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw(alice, database, storage)
    outputs = alice.get(path).json()["outputs"]

    def refuse(bucket: ObjectStorage, key: str) -> None:
        del bucket
        raise StorageError(f"could not delete {key}")

    with monkeypatch.context() as broken:
        broken.setattr(ObjectStorage, "delete", refuse)
        assert_problem(alice.delete(path), ProblemCode.STORAGE_UNAVAILABLE)
    assert alice.get(path).json()["status"] == "succeeded"
    assert_problem(alice.get(outputs[0]["url"]), ProblemCode.IMAGE_EXPIRED)
    assert alice.delete(path).status_code == 204
    assert rows_left(database) == {}
    for output in outputs:
        assert_problem(alice.get(output["url"]), ProblemCode.NOT_FOUND)


def test_a_picture_that_was_uploaded_for_a_deleted_job_stays(alice: Project) -> None:
    image = alice.upload(png()).json()
    path = alice.submit(task="edit", image=image["id"]).headers["location"]
    alice.post(f"{path}/cancel")
    assert alice.delete(path).status_code == 204
    assert alice.get(image["url"]).status_code == 200


@pytest.mark.parametrize("state", ["queued", "running", "canceling"])
def test_a_job_that_has_not_ended_is_not_deleted(alice: Project, database: Database, state: str) -> None:
    path = alice.submit().headers["location"]
    if state != "queued":
        must_claim(database)
    if state == "canceling":
        alice.post(f"{path}/cancel")
    assert_problem(alice.delete(path), ProblemCode.JOB_NOT_ENDED, "job_id")
    assert alice.get(path).json()["status"] == state


def test_a_retry_survives_the_job_that_it_repeats(alice: Project) -> None:
    path = alice.submit().headers["location"]
    alice.post(f"{path}/cancel")
    retry = alice.post(f"{path}/retry").headers["location"]
    assert alice.delete(path).status_code == 204
    assert alice.get(retry).json()["retry_of"] is None


@pytest.mark.parametrize("bond", ["turn", "source"])
def test_a_job_of_a_session_is_not_deleted(
    alice: Project, database: Database, storage: ObjectStorage, bond: str
) -> None:
    path, other = draw(alice, database, storage, 1), draw(alice, database, storage, 1)
    with database.transaction() as session:
        tree = SessionRow(project_id=alice.project_id)
        session.add(tree)
        session.flush()
        picture = session.scalars(select(Candidate.image_id).where(Candidate.job_id == id_of(path))).one()
        turn = {"job_id": id_of(path)} if bond == "turn" else {"source_image_id": picture}
        session.add(Turn(session_id=tree.id, number=1, **({"job_id": id_of(other)} | turn)))
    problem = assert_problem(alice.delete(path), ProblemCode.JOB_IN_SESSION, "job_id")
    assert "/v1/sessions/ses_" in problem.detail
    assert alice.get(alice.get(path).json()["outputs"][0]["url"]).status_code == 200
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Turn)) == 1


def test_the_job_of_another_project_is_not_found(alice: Project, bob: Project, database: Database) -> None:
    path = alice.submit().headers["location"]
    alice.post(f"{path}/cancel")
    assert_problem(bob.delete(path), ProblemCode.NOT_FOUND, "job_id")
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1
