"""Projects and API keys over HTTP: scopes, expiry, networks, rotation, and the log of changes."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import ProgrammingError
from starlette.testclient import TestClient

from services.api.problems.codes import ProblemCode
from services.api.process.last_uses import STALE_SECONDS
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, format_id, parse_id
from shared.job_store.clock import time_after
from shared.tables import ApiKey
from tests.support.gateway.clients import Project, assert_problem
from tests.support.gateway.running import admit, running_gateway
from tests.support.platforms.platform import eventually

FAR = "2999-01-01T00:00:00Z"
PROXY = "10.1.2.3"


def created(admin: Project, path: str, **fields: Any) -> dict[str, Any]:
    """Create a project or a key, which must succeed."""
    answer = admin.post(path, json=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def client_of(admin: Project, key: dict[str, Any]) -> Project:
    """A client with the new key."""
    return Project(admin.client, parse_id(IdKind.PROJECT, key["project_id"]), key["key"])


def make_client(admin: Project, **fields: Any) -> Project:
    """A client with a new key of the operator's project."""
    return client_of(admin, created(admin, "/v1/api_keys", name="made", **fields))


def test_an_operator_makes_a_project_and_a_key_and_a_team_uses_it(admin: Project) -> None:
    project = created(admin, "/v1/projects", name="shop", weight=3, max_queued_jobs=1)
    assert (project["weight"], project["max_queued_jobs"], project["status"]) == (3, 1, "enabled")
    key = created(admin, "/v1/api_keys", name="production", project_id=project["id"])
    assert key["key"].startswith(key["hint"])
    team = client_of(admin, key)

    assert team.submit().status_code == 202
    assert_problem(team.submit(), ProblemCode.TOO_MANY_QUEUED_JOBS)
    assert team.get("/v1/projects").json()["data"] == [project]
    assert team.get(f"/v1/projects/{project['id']}").json() == project
    shown = admin.get(f"/v1/api_keys/{key['id']}").json()
    assert "key" not in shown
    assert shown["name"] == "production"
    assert [one["name"] for one in admin.get("/v1/projects").json()["data"]] == ["shop", "operator"]
    assert len(admin.get("/v1/projects", params={"name": "shop"}).json()["data"]) == 1
    keys = admin.get("/v1/api_keys", params={"project_id": project["id"]}).json()
    assert [one["id"] for one in keys["data"]] == [key["id"]]


def test_a_project_is_changed_disabled_and_enabled(admin: Project, alice: Project) -> None:
    path = f"/v1/projects/{format_id(IdKind.PROJECT, alice.project_id)}"
    changed = admin.patch(path, json={"max_running_jobs": 2, "name": "studio"}).json()
    assert (changed["max_running_jobs"], changed["name"], changed["weight"]) == (2, "studio", 1)
    assert admin.patch(path, json={"max_running_jobs": None}).json()["max_running_jobs"] is None
    assert_problem(admin.patch(path, json={"name": "operator"}), ProblemCode.PROJECT_NAME_TAKEN, "name")
    assert_problem(admin.post("/v1/projects", json={"name": "studio"}), ProblemCode.PROJECT_NAME_TAKEN)
    assert admin.post(f"{path}/disable").json()["status"] == "disabled"
    assert_problem(alice.get("/v1/jobs"), ProblemCode.PROJECT_DISABLED)
    assert admin.post(f"{path}/enable").json()["status"] == "enabled"
    assert alice.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("read", {"list", "project", "usage", "usage log"}),
        ("write", {"submit"}),
        ("webhooks", {"endpoints", "secret"}),
        ("admin", {"project", "new project", "keys", "usage", "usage log"}),
    ],
)
def test_a_scope_opens_its_routes_and_no_other(admin: Project, scope: str, allowed: set[str]) -> None:
    client = make_client(admin, scopes=[scope])
    answers = {
        "list": client.get("/v1/jobs"),
        "submit": client.submit(),
        "endpoints": client.get("/v1/webhook_endpoints"),
        "secret": client.get("/v1/webhook_endpoints/default/secret"),
        "project": client.get("/v1/projects"),
        "new project": client.post("/v1/projects", json={"name": "new"}),
        "keys": client.get("/v1/api_keys"),
        "usage": client.get("/v1/usage"),
        "usage log": client.get("/v1/audit_log"),
    }
    assert {name for name, answer in answers.items() if answer.is_success} == allowed
    for answer in answers.values():
        if not answer.is_success:
            document = assert_problem(answer, ProblemCode.INSUFFICIENT_SCOPE)
            assert "scope" in answer.headers["www-authenticate"]
            assert "`" in document.detail


def test_a_key_without_admin_sees_no_other_project(admin: Project, alice: Project, bob: Project) -> None:
    other = format_id(IdKind.PROJECT, bob.project_id)
    assert_problem(alice.get(f"/v1/projects/{other}"), ProblemCode.NOT_FOUND)
    assert_problem(
        alice.get("/v1/audit_log", params={"project_id": other}), ProblemCode.NOT_FOUND, "project_id"
    )
    nobody = format_id(IdKind.PROJECT, UUID(int=7))
    assert_problem(admin.get(f"/v1/projects/{nobody}"), ProblemCode.NOT_FOUND)
    assert_problem(admin.get(f"/v1/api_keys/{format_id(IdKind.API_KEY, UUID(int=7))}"), ProblemCode.NOT_FOUND)
    assert_problem(
        admin.post("/v1/api_keys", json={"name": "a", "project_id": nobody}), ProblemCode.NOT_FOUND
    )


def test_a_key_ends_when_it_expires_or_is_revoked(admin: Project, database: Database) -> None:
    expiring = created(admin, "/v1/api_keys", name="short", expires_at=FAR)
    client = client_of(admin, expiring)
    assert client.get("/v1/jobs").status_code == 200
    past = {"name": "late", "expires_at": "2020-01-01T00:00:00Z"}
    assert_problem(admin.post("/v1/api_keys", json=past), ProblemCode.INVALID_REQUEST, "expires_at")
    with database.transaction() as session:
        key_id = parse_id(IdKind.API_KEY, expiring["id"])
        session.execute(update(ApiKey).where(ApiKey.id == key_id).values(expires_at=time_after(-1)))
    assert_problem(client.get("/v1/jobs"), ProblemCode.UNAUTHENTICATED)
    path = f"/v1/api_keys/{expiring['id']}"
    assert admin.get(path).json()["status"] == "expired"
    assert_problem(admin.patch(path, json={"name": "x"}), ProblemCode.API_KEY_ENDED, "key_id")
    assert admin.post(f"{path}/revoke").json()["status"] == "revoked"
    assert admin.post(f"{path}/revoke").json()["status"] == "revoked"
    assert_problem(admin.post(f"{path}/rotate"), ProblemCode.API_KEY_ENDED, "key_id")


def test_a_rotated_key_works_beside_its_successor_until_the_overlap_ends(
    admin: Project, database: Database
) -> None:
    old = created(admin, "/v1/api_keys", name="production", scopes=["read"], allowed_networks=[])
    path = f"/v1/api_keys/{old['id']}/rotate"
    new = created(admin, path, overlap_seconds=3600)
    assert (new["replaces"], new["scopes"], new["name"]) == (old["id"], ["read"], "production")
    both = [client_of(admin, old), client_of(admin, new)]
    assert [client.get("/v1/jobs").status_code for client in both] == [200, 200]
    assert_problem(admin.post(path), ProblemCode.ROTATION_OVERLAPS, "key_id")
    with database.transaction() as session:
        key_id = parse_id(IdKind.API_KEY, old["id"])
        session.execute(update(ApiKey).where(ApiKey.id == key_id).values(expires_at=time_after(-1)))
    assert [client.get("/v1/jobs").status_code for client in both] == [401, 200]
    at_once = created(admin, f"/v1/api_keys/{new['id']}/rotate", overlap_seconds=0)
    assert [client_of(admin, key).get("/v1/jobs").status_code for key in (new, at_once)] == [401, 200]


def test_changes_of_a_key_hold_from_the_next_request_on(admin: Project) -> None:
    key = created(admin, "/v1/api_keys", name="a")
    client = client_of(admin, key)
    changed = admin.patch(f"/v1/api_keys/{key['id']}", json={"scopes": ["write"], "name": "b"}).json()
    assert (changed["scopes"], changed["name"]) == (["write"], "b")
    assert_problem(client.get("/v1/jobs"), ProblemCode.INSUFFICIENT_SCOPE)
    admin.patch(f"/v1/api_keys/{key['id']}", json={"allowed_networks": ["192.0.2.1", "2001:db8::/32"]})
    assert_problem(client.submit(), ProblemCode.ADDRESS_NOT_ALLOWED)
    refused = admin.patch(f"/v1/api_keys/{key['id']}", json={"allowed_networks": ["192.0.2.1/24"]})
    assert_problem(refused, ProblemCode.INVALID_REQUEST, "allowed_networks.0")


def test_a_network_is_that_of_the_connection_or_what_a_trusted_proxy_says(
    gateway_settings: GatewayProcessSettings, database: Database
) -> None:
    trusting = gateway_settings.gateway.model_copy(update={"trusted_proxies": ["10.0.0.0/8"]})
    settings = gateway_settings.model_copy(update={"gateway": trusting})
    with running_gateway(settings) as trusted:
        project = admit(database, trusted, "office", allowed_networks=["192.0.2.0/24"])

        def status(address: str, forwarded: str | None = None) -> int:
            caller = TestClient(trusted.app, client=(address, 5000))
            headers = project.authorization | ({"X-Forwarded-For": forwarded} if forwarded else {})
            return caller.get("/v1/models", headers=headers).status_code

        assert status("192.0.2.7") == 200
        assert status("::ffff:192.0.2.7") == 200
        assert status("198.51.100.1") == 403
        assert status("198.51.100.1", "192.0.2.7") == 403
        assert status(PROXY, "192.0.2.7") == 200
        assert status(PROXY, "192.0.2.7, 198.51.100.1") == 403
        assert status(PROXY, "nonsense") == 403


def test_a_last_use_is_written_in_the_background_and_rarely(alice: Project, database: Database) -> None:
    def last_use() -> Any:
        with database.transaction() as session:
            return session.query(ApiKey).one().last_used_at

    alice.get("/v1/jobs")
    eventually(lambda: last_use() is not None, "the last use is written")
    first = last_use()
    alice.get("/v1/jobs")
    with database.transaction() as session:
        session.execute(update(ApiKey).values(last_used_at=time_after(-STALE_SECONDS - 1)))
    alice.get("/v1/jobs")
    eventually(lambda: last_use() > first, "the next use is written")


def log(project: Project, **query: str) -> list[dict[str, Any]]:
    """The audit log that the project sees, oldest first."""
    answer = project.get("/v1/audit_log", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"][::-1]


def test_every_change_is_logged_with_who_what_and_from_where(
    admin: Project, alice: Project, bob: Project, drawn: dict[str, Any], database: Database
) -> None:
    del drawn
    project = created(admin, "/v1/projects", name="shop", max_queued_jobs=5)
    key = created(admin, "/v1/api_keys", name="k", project_id=project["id"])
    admin.patch(f"/v1/projects/{project['id']}", json={"max_queued_jobs": 6})
    admin.post(f"/v1/api_keys/{key['id']}/revoke")
    entries = log(admin, project_id=project["id"])
    assert [entry["action"] for entry in entries] == [
        "project.created",
        "api_key.created",
        "project.changed",
        "api_key.revoked",
    ]
    assert entries[2]["details"] == {"max_queued_jobs": {"before": 5, "after": 6}}
    assert {entry["actor"]["address"] for entry in entries} == {"testclient"}
    assert key["key"] not in str(entries)
    assert log(admin, target=key["id"], action="api_key.revoked") == entries[3:]

    job = alice.submit().json()["id"]
    alice.post(f"/v1/jobs/{job}/cancel")
    alice.delete(f"/v1/jobs/{job}")
    hook = alice.post("/v1/webhook_endpoints", json={"url": "https://example.org/a"}).json()["id"]
    alice.patch(f"/v1/webhook_endpoints/{hook}", json={"name": "mine"})
    alice.post(f"/v1/webhook_endpoints/{hook}/rotate_secret")
    alice.delete(f"/v1/webhook_endpoints/{hook}")
    assert alice.delete(f"/v1/webhook_endpoints/{hook}").status_code == 404
    session = alice.get("/v1/sessions").json()["data"][0]["id"]
    alice.patch(f"/v1/sessions/{session}", json={"title": "other"})
    alice.client.delete(f"/v1/sessions/{session}", headers=alice.authorization, params={"confirm": 1})
    mine = log(alice)
    assert [(entry["action"], entry["target"]) for entry in mine] == [
        ("job.canceled", job),
        ("job.deleted", job),
        ("webhook_endpoint.created", hook),
        ("webhook_endpoint.changed", hook),
        ("webhook_endpoint.secret_rotated", hook),
        ("webhook_endpoint.deleted", hook),
        ("session.changed", session),
        ("session.deleted", session),
    ]
    assert {entry["project_id"] for entry in mine} == {format_id(IdKind.PROJECT, alice.project_id)}
    assert log(bob) == []

    for change in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(ProgrammingError, match="can only be added to"), database.transaction() as session:
            session.execute(text(change))
