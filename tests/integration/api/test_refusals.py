"""Authentication, separation of projects, and the form of error responses."""

import json
from typing import Any

import pytest
from sqlalchemy import func, update
from starlette.testclient import TestClient

from services.api.app import create_app
from services.api.auth.api_keys import create_first_key
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.job_store.clock import time_after
from shared.security import hash_api_key
from shared.tables import ApiKey, WorkerRow
from shared.tables import Project as ProjectRow
from tests.support.gateway.clients import Project, assert_problem, png

CLOSED = ["/v1/jobs", "/v1/jobs/job_x", "/v1/images/img_x", "/v1/images/img_x/content", "/v1/models"]


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer lum_wrong", "Basic YTpi", "lum_wrong"])
def test_without_a_valid_key_every_door_is_closed(
    client: TestClient, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = client.get(path, headers=headers)
    assert_problem(answer, ProblemCode.UNAUTHENTICATED)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_key_that_was_revoked_or_has_expired_opens_nothing(
    alice: Project, database: Database, column: str
) -> None:
    assert alice.get("/v1/jobs").status_code == 200
    with database.transaction() as session:
        session.execute(update(ApiKey).values({column: time_after(-1)}))
    assert_problem(alice.get("/v1/jobs"), ProblemCode.UNAUTHENTICATED)


def test_a_disabled_project_is_told_so(alice: Project, database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(ProjectRow).values(disabled_at=func.now()))
    assert_problem(alice.get("/v1/jobs"), ProblemCode.PROJECT_DISABLED)


def test_the_database_holds_no_token(alice: Project, database: Database) -> None:
    with database.transaction() as session:
        key = session.query(ApiKey).one()
    assert key.sha256 == hash_api_key(alice.token)


def test_an_empty_installation_gets_one_first_key(client: TestClient, database: Database) -> None:
    with database.transaction() as session:
        token = create_first_key(session)
    with database.transaction() as session:
        assert create_first_key(session) is None
    answer = client.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


def test_a_project_sees_nothing_of_another(alice: Project, bob: Project) -> None:
    job = alice.submit().headers["location"]
    image = alice.upload(png()).json()
    assert bob.get("/v1/jobs").json()["data"] == []
    assert_problem(bob.get(job), ProblemCode.NOT_FOUND)
    assert_problem(bob.post(f"{job}/cancel"), ProblemCode.NOT_FOUND)
    assert_problem(bob.get(f"/v1/images/{image['id']}"), ProblemCode.NOT_FOUND)
    assert_problem(bob.get(image["url"]), ProblemCode.NOT_FOUND)
    stolen = bob.submit(task="edit", image=image["id"])
    assert_problem(stolen, ProblemCode.INVALID_REQUEST, "image")
    assert alice.get(job).json()["status"] == "queued"


def test_the_job_of_another_project_does_not_answer_an_idempotency_key(alice: Project, bob: Project) -> None:
    key = {"Idempotency-Key": "same"}
    first, second = alice.submit(key), bob.submit(key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 13}, "n"),
        ({"size": "770x768"}, "size"),
        ({"webhook": {"url": "ftp://example.org"}}, "webhook.url"),
        ({"metadata": {"key": 5}}, "metadata.key"),
        ({"promt": "misspelt"}, "promt"),
        ({"task": "edit"}, "image"),
        ({"prompt": "a\u0000b"}, "prompt"),
        ({"start_by": "9999-12-31T23:59:59-12:00"}, "start_by"),
    ],
)
def test_a_bad_field_is_named(alice: Project, fields: dict[str, Any], param: str | None) -> None:
    document = assert_problem(alice.submit(**fields), ProblemCode.INVALID_REQUEST, param)
    assert param is None or param in document.detail


def test_what_no_living_worker_can_draw_is_refused_at_once(alice: Project, database: Database) -> None:
    assert alice.submit(model="huge", size="2048x2048").status_code == 202
    model = {"name": "small", "largest_side": 512}
    with database.transaction() as session:
        session.add(WorkerRow(id="worker", queues=["generate"], slots=4, model=model))
    assert_problem(alice.submit(model="huge"), ProblemCode.MODEL_UNAVAILABLE, "model")
    assert_problem(alice.submit(size="544x512"), ProblemCode.INVALID_REQUEST, "size")
    assert alice.submit(model="small", size="512x512").status_code == 202


def test_a_numerics_identity_that_nobody_has_is_refused_with_those_that_are_served(
    alice: Project, database: Database
) -> None:
    known, recent, unknown = "0123456789abcdef", "00000000000000aa", "00000000000000bb"
    parts = {"id": known, "precision": "bf16"}
    with database.transaction() as session:
        session.add(
            WorkerRow(
                id="here",
                queues=["generate"],
                slots=4,
                model={"name": "tiny", "numerics": parts},
                numerics=known,
            )
        )
        gone = {"draining": True, "left_at": func.now()}
        session.add(
            WorkerRow(
                id="left", queues=["generate"], slots=4, model={"name": "tiny"}, numerics=recent, **gone
            )
        )
    document = assert_problem(alice.submit(numerics=unknown), ProblemCode.NUMERICS_UNAVAILABLE, "numerics")
    assert f"{known} (tiny, bf16)" in document.detail
    assert alice.submit(numerics=known).status_code == 202
    assert alice.submit(numerics=recent).status_code == 202
    assert_problem(alice.submit(numerics="bf16"), ProblemCode.INVALID_REQUEST, "numerics")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"seed": ' + b"9" * 5000 + b"}", b"null", b"[]", b'"job"'],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_object_is_refused(alice: Project, body: bytes) -> None:
    answer = alice.post("/v1/jobs", {"Content-Type": "application/json"}, content=body)
    assert answer.status_code in {400, 422}
    assert_problem(answer, ProblemCode(answer.json()["error"]["code"]), answer.json()["error"]["param"])


def test_a_body_that_is_too_long_is_refused(alice: Project) -> None:
    body = json.dumps({"prompt": "a" * 2_100_000}).encode()
    answer = alice.post("/v1/jobs", {"Content-Type": "application/json"}, content=body)
    assert_problem(answer, ProblemCode.BODY_TOO_LARGE)


def test_an_unknown_path_and_a_wrong_method_are_problems_too(alice: Project) -> None:
    assert_problem(alice.get("/v1/nothing"), ProblemCode.NOT_FOUND)
    answer = alice.client.delete("/v1/jobs", headers=alice.authorization)
    assert_problem(answer, ProblemCode.METHOD_NOT_ALLOWED)
    assert "POST" in answer.headers["allow"]


def test_the_type_of_a_problem_leads_to_its_explanation(client: TestClient) -> None:
    problem = client.get("/v1/jobs").json()
    explained = client.get(problem["type"]).json()
    assert (explained["code"], explained["status"]) == ("unauthenticated", 401)
    assert {entry["code"] for entry in client.get("/problems").json()} == set(ProblemCode)
    assert_problem(client.get("/problems/unheard_of"), ProblemCode.NOT_FOUND)


def test_a_request_id_of_the_client_comes_back(alice: Project) -> None:
    assert alice.get("/v1/jobs", {"X-Request-Id": "trace-1"}).headers["x-request-id"] == "trace-1"


def test_a_fault_of_the_gateway_is_a_problem_without_a_trace(
    gateway_settings: GatewayProcessSettings,
) -> None:
    app = create_app(gateway_settings)

    @app.get("/fault")
    async def fail() -> None:
        raise RuntimeError("secret")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/fault", headers={"X-Request-Id": "trace-2"})
    document = assert_problem(answer, ProblemCode.INTERNAL_ERROR)
    assert document.request_id == "trace-2"
    assert "secret" not in answer.text
