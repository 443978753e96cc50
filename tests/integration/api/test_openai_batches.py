"""Batches over HTTP: requests in a file, jobs of low priority, answers in files, whoever dies meanwhile."""

import json
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import text

from services.api.openai.batches.steps import BatchLostError, take_batch, write
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from tests.support.gateway.clients import Project
from tests.support.gateway.openai import FAILING, Json, Painter, add_worker, error_of
from tests.support.gateway.running import admit, running_gateway
from tests.support.gateway.usage import key_id_of, rows
from tests.support.platforms.platform import eventually

BATCHES = "/openai/v1/batches"
FILES = "/openai/v1/files"
URL = "/v1/images/generations"


def line(custom_id: str, **body: object) -> Json:
    return {"custom_id": custom_id, "method": "POST", "url": URL, "body": {"prompt": "a red circle", **body}}


def upload(project: Project, lines: Sequence[Json] | bytes) -> str:
    data = lines if isinstance(lines, bytes) else "\n".join(map(json.dumps, lines)).encode()
    answer = project.post(FILES, data={"purpose": "batch"}, files={"file": ("in.jsonl", data)})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def order(project: Project, lines: Sequence[Json] | bytes, **more: object) -> Json:
    body = {"input_file_id": upload(project, lines), "endpoint": URL, "completion_window": "24h", **more}
    answer = project.post(BATCHES, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ended(project: Project, batch: Json) -> Json:
    """The batch after its end."""

    def look() -> Json | None:
        now = project.get(f"{BATCHES}/{batch['id']}").json()
        return now if now["status"] in {"completed", "failed", "expired", "cancelled"} else None

    return eventually(look, "the batch has ended")


def lines_of(project: Project, file_id: str | None) -> dict[str, Json]:
    """The lines of a result by custom_id."""
    if file_id is None:
        return {}
    content = project.get(f"{FILES}/{file_id}/content").text
    return {one["custom_id"]: one for one in map(json.loads, content.splitlines())}


def test_answers_and_errors_come_in_files(
    alice: Project, bob: Project, painter: Painter, database: Database
) -> None:
    wanted = [line("a", n=2, size="1024x1024"), line("b", model="nothing"), line("c", prompt=FAILING)]
    batch = ended(alice, order(alice, [*wanted, line("d", seed=7)], metadata={"night": "1"}))
    assert (batch["status"], batch["metadata"]) == ("completed", {"night": "1"})
    assert batch["request_counts"] == {"total": 4, "completed": 2, "failed": 2}
    done, failed = (lines_of(alice, batch[name]) for name in ("output_file_id", "error_file_id"))
    assert (list(done), list(failed)) == (["a", "d"], ["b", "c"])
    assert len(done["a"]["response"]["body"]["data"]) == 2
    assert done["d"]["response"]["body"]["luminary"]["seed"] == 7
    assert failed["b"]["response"]["body"]["error"]["code"] == "model_not_found"
    assert failed["c"]["response"]["status_code"] == 400
    assert {request["priority"] for request in painter.requests} == {"low"}
    assert [row[:2] for row in rows(alice, "api_key")] == [(key_id_of(database, alice.token), 2)]
    assert bob.get(f"{BATCHES}/{batch['id']}").status_code == 404
    assert bob.post(f"{BATCHES}/{batch['id']}/cancel").status_code == 404
    assert [one["id"] for one in alice.get(BATCHES).json()["data"]] == [batch["id"]]


def test_a_file_with_wrong_lines_ends_its_batch_and_says_which(alice: Project) -> None:
    wrong = [
        line("a"),
        {**line("b"), "method": "GET"},
        {**line("c"), "url": "/v1/embeddings"},
        {**line("d"), "custom_id": 4},
        {**line("e"), "body": "text"},
    ]
    batch = ended(alice, order(alice, wrong))
    assert batch["status"] == "failed"
    assert [error["param"] for error in batch["errors"]["data"]] == ["method", "url", "custom_id", "body"]
    twice = ended(alice, order(alice, [line("a"), line("b"), line("a")]))
    assert [(one["code"], one["line"]) for one in twice["errors"]["data"]] == [("duplicate_custom_id", 3)]
    for lines, code in ((b"\n \n", "empty_file"), (b"{", "invalid_json_line")):
        assert ended(alice, order(alice, lines))["errors"]["data"][0]["code"] == code


def test_an_order_is_refused_that_names_no_file_of_the_project(alice: Project, bob: Project) -> None:
    theirs = upload(bob, [line("a")])
    body = {"input_file_id": theirs, "endpoint": URL, "completion_window": "24h"}
    for wrong, param in (({}, "input_file_id"), ({"endpoint": "/v1/embeddings"}, "endpoint")):
        answer = alice.post(BATCHES, json={**body, **wrong})
        assert (answer.status_code, error_of(answer)["param"]) == (400, param)


def test_a_cancelled_batch_ends_with_what_is_done(alice: Project, database: Database) -> None:
    batch = order(alice, [line("a"), line("b")])
    eventually(lambda: len(alice.get("/v1/jobs").json()["data"]) == 2, "both jobs are queued")
    assert alice.post(f"{BATCHES}/{batch['id']}/cancel").json()["status"] == "cancelling"
    batch = ended(alice, batch)
    assert batch["status"] == "cancelled"
    assert {job["status"] for job in alice.get("/v1/jobs").json()["data"]} == {"canceled"}
    assert list(lines_of(alice, batch["error_file_id"])) == ["a", "b"]
    assert alice.post(f"{BATCHES}/{batch['id']}/cancel").json() == batch


def test_a_batch_expires_with_its_window(alice: Project, database: Database) -> None:
    batch = order(alice, [line("a")])
    eventually(lambda: alice.get("/v1/jobs").json()["data"], "its job is queued")
    with database.transaction() as session:
        session.execute(text("UPDATE openai_batches SET expires_at = now() - interval '1 s'"))
    batch = ended(alice, batch)
    assert (batch["status"], batch["expired_at"] is not None) == ("expired", True)


def test_a_batch_goes_on_in_another_gateway(
    database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    add_worker(database)
    with running_gateway(gateway_settings) as first:
        alice = admit(database, first, "alice")
        batch = order(alice, [line(str(number)) for number in range(30)])
        eventually(lambda: alice.get("/v1/jobs").json()["data"], "the first jobs are queued")
    with (
        running_gateway(gateway_settings) as second,
        Painter(database, gateway_settings) as painter,
    ):
        again = Project(second, alice.project_id, alice.token)
        with database.transaction() as session:  # the lease of a step that was interrupted
            session.execute(text("UPDATE openai_batches SET due_at = now()"))
        batch = ended(again, batch)
        assert batch["request_counts"] == {"total": 30, "completed": 30, "failed": 0}
        assert len(lines_of(again, batch["output_file_id"])) == 30
    assert len(painter.requests) == 30


def test_a_late_step_writes_nothing(database: Database, project_id: UUID) -> None:
    insert = (
        "INSERT INTO openai_batches "
        "(project_id, key_id, endpoint, input_file_id, completion_window, expires_at) VALUES "
        "(:project, uuidv7(), '/v1/images/edits', uuidv7(), '24h', now() + interval '1 day')"
    )
    with database.transaction() as session:
        session.execute(text(insert), {"project": project_id})
        late = take_batch(session)
    assert late is not None
    with database.transaction() as session:
        assert take_batch(session) is None
        session.execute(text("UPDATE openai_batches SET due_at = now() - interval '1 s'"))
    with database.transaction() as session:
        assert take_batch(session) is not None
    with database.transaction() as session, pytest.raises(BatchLostError):
        write(session, late, total=5)
