"""Limits of projects under fire: requests, waiting jobs, pictures of a day, storage, waits, connections."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import SecretStr
from starlette.testclient import TestClient

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.job_store import succeed_job
from shared.tables import Project as ProjectRow
from tests.support.factories import must_claim, one_picture
from tests.support.gateway.clients import NO_BROKER, Project, assert_problem, png
from tests.support.gateway.running import running_gateway
from tests.support.gateway.served import request, served

FIRE = 200


def limit(database: Database, project: Project, **limits: int) -> None:
    """Set limits of the project."""
    with database.transaction() as session:
        row = session.get_one(ProjectRow, project.project_id)
        for name, value in limits.items():
            setattr(row, name, value)


def test_two_hundred_parallel_submissions_against_a_limit_of_twenty_leave_exactly_twenty(
    alice: Project, database: Database
) -> None:
    limit(database, alice, max_queued_jobs=20)
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda _: alice.submit(), range(FIRE)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(202), statuses.count(429)) == (20, FIRE - 20)
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status_code == 429)


def test_requests_are_counted_over_all_gateways_and_told_in_headers(
    alice: Project, client: TestClient, database: Database, gateway_settings: GatewayProcessSettings
) -> None:
    limit(database, alice, requests_per_minute=20)
    with running_gateway(gateway_settings) as other:
        gateways = [alice, Project(other, alice.project_id, alice.token)]
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda n: gateways[n % 2].get("/v1/models"), range(60)))
    allowed = [answer for answer in answers if answer.status_code == 200]
    # the minute may end meanwhile; then the second minute has room for a few more
    assert 20 <= len(allowed) <= 40
    assert allowed[0].headers["ratelimit-policy"] == '"requests";q=20;w=60'
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert_problem(refused, ProblemCode.TOO_MANY_REQUESTS)
    # requests of this minute count less and less in the next one
    assert 1 <= int(refused.headers["retry-after"]) <= 66
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')


def test_without_the_counting_server_requests_are_still_answered(
    database: Database, gateway_settings: GatewayProcessSettings, alice: Project
) -> None:
    limit(database, alice, requests_per_minute=100)
    broker = gateway_settings.broker.model_copy(update={"redis_url": SecretStr(NO_BROKER)})
    with running_gateway(gateway_settings.model_copy(update={"broker": broker})) as client:
        lonely = Project(client, alice.project_id, alice.token)
        answers = [lonely.get("/v1/models") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "ratelimit" in answers[0].headers


def test_a_refused_submission_says_when_a_job_will_start_by_the_measured_pace(
    alice: Project, database: Database
) -> None:
    limit(database, alice, max_queued_jobs=1)
    for _ in range(2):
        assert alice.submit().status_code == 202
        with database.transaction() as session:
            succeed_job(session, must_claim(database).lease, one_picture())
    assert alice.submit().status_code == 202
    refused = alice.submit()
    assert_problem(refused, ProblemCode.TOO_MANY_QUEUED_JOBS)
    assert 1 <= int(refused.headers["retry-after"]) < 10


def test_pictures_of_a_day_are_counted_with_every_candidate(alice: Project, database: Database) -> None:
    limit(database, alice, pictures_per_day=5)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: alice.submit(n=2), range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 2 + [429] * 6
    refused = alice.submit(n=2)
    assert_problem(refused, ProblemCode.TOO_MANY_PICTURES)
    assert 0 <= int(refused.headers["retry-after"]) <= 86_400
    assert alice.submit(n=1).status_code == 202


def test_full_storage_refuses_uploads_and_jobs_until_there_is_room(
    alice: Project, bob: Project, database: Database
) -> None:
    limit(database, alice, max_storage_bytes=1)
    assert alice.upload(png()).status_code == 201
    assert_problem(alice.upload(png()), ProblemCode.STORAGE_QUOTA_REACHED)
    assert_problem(alice.submit(), ProblemCode.STORAGE_QUOTA_REACHED)
    assert bob.upload(png()).status_code == 201
    limit(database, alice, max_storage_bytes=10**9)
    assert alice.submit().status_code == 202


def test_a_project_with_many_waits_and_requests_leaves_the_gateway_to_others(
    gateway_settings: GatewayProcessSettings, alice: Project, bob: Project
) -> None:
    """Waits above the limit are answered at once, requests above it with 429; others notice nothing."""
    body = json.dumps({"prompt": "a red circle"}).encode()
    key = f"Authorization: Bearer {alice.token}"
    headers = ("Prefer: wait=60", "Content-Type: application/json", f"Content-Length: {len(body)}")
    limits: dict[str, Any] = {"max_waits_per_project": 0, "max_requests_per_project": 2}
    with served(gateway_settings, **limits) as gateway:
        answer = gateway.exchange(request("POST", "/v1/jobs", key, *headers, body=body))
        assert (answer.status, answer.headers.get("preference-applied")) == (202, None)
        for _ in range(2):
            gateway.connect().sendall(request("GET", "/v1/events", key))
        while gateway.exchange(request("GET", "/v1/models", key)).status == 200:
            pass
        refused = gateway.exchange(request("GET", "/v1/models", key))
        refused.assert_problem(ProblemCode.TOO_MANY_REQUESTS)
        other = request("GET", "/v1/models", f"Authorization: Bearer {bob.token}")
        assert gateway.exchange(other).status == 200
