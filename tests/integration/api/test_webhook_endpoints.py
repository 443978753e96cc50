"""Webhook endpoints over HTTP: create, list, change, delete, switch off and on, rotate secrets."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from services.api.problems.codes import ProblemCode
from services.api.webhooks import create
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_store.clock import time_after
from shared.tables import Delivery, WebhookEndpoint
from shared.tables import Project as ProjectRow
from tests.support.factories import queue_job
from tests.support.gateway.clients import Project, assert_problem

HOOK = "https://example.org/hook"
PATH = "/v1/webhook_endpoints"


def create_endpoint(project: Project, **fields: Any) -> dict[str, Any]:
    answer = project.post(PATH, json={"url": HOOK, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_new_endpoint_shows_its_secret_once(alice: Project) -> None:
    made = create_endpoint(alice, name="production", event_types=["job.*"])
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["event_types"], made["status"]) == (HOOK, ["job.*"], "enabled")
    read = alice.get(f"{PATH}/{made['id']}").json()
    assert "secret" not in read
    assert read == {name: value for name, value in made.items() if name != "secret"}
    assert create_endpoint(alice)["secret"] != made["secret"]


def test_a_key_for_ed25519_is_shown_as_public_key_only(alice: Project, database: Database) -> None:
    made = create_endpoint(alice, signature="v1a")
    assert made["secret"] is None
    assert made["public_key"].startswith("whpk_")
    with database.transaction() as session:
        [endpoint] = session.scalars(select(WebhookEndpoint)).all()
    assert endpoint.secret.hex() not in str(made)
    assert alice.get(f"{PATH}/{made['id']}").json()["public_key"] == made["public_key"]


def test_endpoints_are_listed_in_pages_newest_first(alice: Project) -> None:
    ids = [create_endpoint(alice, name=str(number))["id"] for number in range(5)][::-1]
    found: list[str] = []
    cursors = [""]
    for cursor in cursors:
        page = alice.get(f"{PATH}?limit=2{cursor}").json()
        found += [endpoint["id"] for endpoint in page["data"]]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if page["has_more"]:
            cursors.append(f"&after={page['next_cursor']}")
    assert (found, len(cursors)) == (ids, 3)


def test_the_endpoint_of_a_job_is_found_by_the_job(alice: Project) -> None:
    create_endpoint(alice)
    job = alice.submit(webhook={"url": HOOK, "events": ["job.failed"]}).json()["id"]
    [endpoint] = alice.get(f"{PATH}?job_id={job}").json()["data"]
    assert (endpoint["job_id"], endpoint["event_types"]) == (job, ["job.failed"])
    assert [one["job_id"] for one in alice.get(PATH).json()["data"]] == [None]


def test_only_the_fields_of_a_change_are_changed(alice: Project) -> None:
    made = create_endpoint(alice, name="old")
    path = f"{PATH}/{made['id']}"
    changed = alice.patch(path, json={"event_types": ["job.failed"], "payload": "thin"}).json()
    assert (changed["event_types"], changed["payload"]) == (["job.failed"], "thin")
    assert (changed["name"], changed["url"]) == ("old", HOOK)
    assert alice.patch(path, json={"name": None}).json()["name"] is None
    assert alice.patch(path, json={}).json() == alice.get(path).json()
    forbidden = alice.patch(path, json={"url": "http://10.0.0.1/"})
    assert_problem(forbidden, ProblemCode.WEBHOOK_URL_FORBIDDEN, "url")


def test_a_deleted_endpoint_is_gone_with_its_deliveries(alice: Project, database: Database) -> None:
    made = create_endpoint(alice)
    alice.submit()
    assert alice.delete(f"{PATH}/{made['id']}").status_code == 204
    assert_problem(alice.get(f"{PATH}/{made['id']}"), ProblemCode.NOT_FOUND)
    with database.transaction() as session:
        assert session.scalars(select(Delivery)).all() == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "https://a.b/" + "c" * 3000}, "url"),
        ({"name": "n" * 201}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["job.succeeded"] * 2}, "event_types"),
        ({"event_types": ["job.done"]}, "event_types.0"),
        ({"event_types": ["job*"]}, "event_types.0"),
        ({"event_types": ["*"] * 10_000}, "event_types"),
        ({"payload": "fat"}, "payload"),
        ({"signature": "v2"}, "signature"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_bad_fields_are_named(alice: Project, fields: dict[str, Any], param: str) -> None:
    refused = alice.post(PATH, json={"url": HOOK, **fields})
    document = assert_problem(refused, ProblemCode.INVALID_REQUEST)
    assert document.error.param is not None
    assert document.error.param.startswith(param)


@pytest.mark.parametrize("url", ["https://user:password@example.org/", "http://127.0.0.1/", "http://[::1]/"])
def test_urls_with_a_user_name_or_a_private_address_are_refused(alice: Project, url: str) -> None:
    assert_problem(alice.post(PATH, json={"url": url}), ProblemCode.WEBHOOK_URL_FORBIDDEN, "url")


def test_a_project_has_a_limited_number_of_endpoints(
    alice: Project, bob: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "MOST_ENDPOINTS", 2)
    made = [create_endpoint(alice) for _ in range(2)]
    alice.submit(webhook={"url": HOOK})
    assert_problem(alice.post(PATH, json={"url": HOOK}), ProblemCode.TOO_MANY_WEBHOOK_ENDPOINTS)
    create_endpoint(bob)
    alice.delete(f"{PATH}/{made[0]['id']}")
    create_endpoint(alice)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rotate_secret"),
        ("POST", "/test"),
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("GET", "/deliveries"),
        ("GET", "/deliveries/{delivery}"),
        ("POST", "/deliveries/{delivery}/redeliver"),
        ("POST", "/redeliver"),
    ],
)
def test_the_endpoints_of_other_projects_do_not_exist(
    alice: Project, bob: Project, method: str, path: str
) -> None:
    own, other = create_endpoint(bob), create_endpoint(alice)
    delivery = alice.post(f"{PATH}/{other['id']}/test").json()["id"]
    body = {"PATCH": {}, "POST": {"since": "2026-01-01T00:00:00Z"} if path == "/redeliver" else None}

    def ask(endpoint: str) -> Any:
        url = f"{PATH}/{endpoint}{path.format(delivery=delivery)}"
        return bob.client.request(method, url, headers=bob.authorization, json=body.get(method))

    assert_problem(ask(other["id"]), ProblemCode.NOT_FOUND)
    assert_problem(ask("whe_1"), ProblemCode.NOT_FOUND)
    if "{delivery}" in path:
        assert_problem(ask(own["id"]), ProblemCode.NOT_FOUND)
    assert alice.get(f"{PATH}/{other['id']}").json()["status"] == "enabled"
    assert bob.get(PATH).json()["data"] == [bob.get(f"{PATH}/{own['id']}").json()]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*", {"job.queued", "job.canceled"}),
        ("job.*", {"job.queued", "job.canceled"}),
        ("job.canceled", {"job.canceled"}),
        ("job.failed", set[str]()),
        ("webhook_endpoint.*", set[str]()),
    ],
)
def test_patterns_select_events(alice: Project, database: Database, pattern: str, wanted: set[str]) -> None:
    create_endpoint(alice, event_types=[pattern])
    alice.post(f"{alice.submit().headers['location']}/cancel")
    with database.transaction() as session:
        assert set(session.scalars(select(Delivery.event_type))) == wanted


def test_a_webhook_of_a_job_takes_patterns_too(alice: Project, database: Database) -> None:
    alice.submit(webhook={"url": HOOK, "events": ["job.*"]})
    with database.transaction() as session:
        assert session.scalars(select(Delivery.event_type)).all() == ["job.queued"]


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(alice: Project, database: Database) -> None:
    path = f"{PATH}/{create_endpoint(alice)['id']}"
    alice.submit()
    disabled = alice.post(f"{path}/disable").json()
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "requested")
    assert alice.post(f"{path}/disable").json() == disabled
    alice.submit()
    states = [row["state"] for row in alice.get(f"{path}/deliveries").json()["data"]]
    assert states == ["abandoned"]
    assert_problem(alice.post(f"{path}/test"), ProblemCode.WEBHOOK_ENDPOINT_DISABLED)
    assert alice.post(f"{path}/enable").json()["status"] == "enabled"
    alice.submit()
    states = [row["state"] for row in alice.get(f"{path}/deliveries").json()["data"]]
    assert states == ["pending", "abandoned"]


def test_a_second_rotation_within_the_overlap_needs_force(alice: Project, database: Database) -> None:
    made = create_endpoint(alice)
    path = f"{PATH}/{made['id']}/rotate_secret"
    first = alice.post(path).json()
    assert first["secret"] != made["secret"]
    assert first["previous_secret_expires_at"] is not None
    assert_problem(alice.post(path), ProblemCode.ROTATION_OVERLAPS, "force")
    assert_problem(alice.post(path, json={"overlap_seconds": 0}), ProblemCode.ROTATION_OVERLAPS)
    second = alice.post(path, json={"force": True, "overlap_seconds": 3600}).json()
    assert second["secret"] not in {first["secret"], made["secret"]}
    end_overlap(database, parse_id(IdKind.WEBHOOK_ENDPOINT, made["id"]))
    assert alice.get(f"{PATH}/{made['id']}").json()["previous_secret_expires_at"] is None
    assert alice.post(path).status_code == 200


def end_overlap(database: Database, endpoint_id: UUID) -> None:
    with database.transaction() as session:
        mine = update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
        session.execute(mine.values(previous_secret_expires_at=time_after(-1)))


def test_a_rotation_without_overlap_ends_the_old_secret_at_once(alice: Project) -> None:
    path = f"{PATH}/{create_endpoint(alice)['id']}/rotate_secret"
    for _ in range(2):
        rotated = alice.post(path, json={"overlap_seconds": 0}).json()
        assert rotated["previous_secret_expires_at"] is None


@pytest.mark.parametrize("seconds", [-1, 604_801, 1.5, "1 h", 10**30])
def test_an_overlap_is_at_most_a_week(alice: Project, seconds: Any) -> None:
    path = f"{PATH}/{create_endpoint(alice)['id']}/rotate_secret"
    refused = alice.post(path, json={"overlap_seconds": seconds})
    assert_problem(refused, ProblemCode.INVALID_REQUEST, "overlap_seconds")


def test_a_rotated_key_shows_both_public_keys(alice: Project) -> None:
    made = create_endpoint(alice, signature="v1a")
    rotated = alice.post(f"{PATH}/{made['id']}/rotate_secret").json()
    assert rotated["previous_public_key"] == made["public_key"]
    assert rotated["public_key"] not in {None, made["public_key"]}
    assert rotated["secret"] is None


def test_the_secret_of_the_project_is_rotated_for_all_jobs(alice: Project, database: Database) -> None:
    alice.submit(webhook={"url": HOOK})
    before = alice.get(f"{PATH}/default/secret").json()["secret"]
    after = alice.post(f"{PATH}/default/rotate_secret").json()
    assert after["secret"] != before
    alice.submit(webhook={"url": HOOK})
    with database.transaction() as session:
        project = session.get_one(ProjectRow, alice.project_id)
        endpoints = session.scalars(select(WebhookEndpoint)).all()
    assert {endpoint.secret for endpoint in endpoints} == {project.webhook_secret}
    assert {endpoint.previous_secret for endpoint in endpoints} == {project.previous_webhook_secret}
    assert_problem(alice.post(f"{PATH}/default/rotate_secret"), ProblemCode.ROTATION_OVERLAPS, "force")
    job = alice.get(f"{PATH}?job_id={alice.get('/v1/jobs').json()['data'][0]['id']}").json()["data"][0]
    assert_problem(alice.post(f"{PATH}/{job['id']}/rotate_secret"), ProblemCode.NOT_FOUND)


def test_events_of_other_projects_are_not_sent(alice: Project, bob: Project, database: Database) -> None:
    create_endpoint(alice)
    queue_job(database, bob.project_id)
    with database.transaction() as session:
        assert session.scalars(select(Delivery)).all() == []
