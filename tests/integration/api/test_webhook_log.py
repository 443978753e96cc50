"""The delivery log, redelivery, tests and disabled endpoints, with messages that are really sent."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import update
from standardwebhooks import Webhook, WebhookVerificationError

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from services.api.webhooks import redeliver
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_store.clock import time_after
from shared.tables import Delivery, WebhookEndpoint
from tests.support.gateway.clients import Project, assert_problem
from tests.support.platforms.platform import eventually
from tests.support.servers.receiver import Received, Receiver, receiving
from tests.support.webhooks import sending, webhook_settings

PATH = "/v1/webhook_endpoints"
FIVE_DAYS = 5 * 86_400


@pytest.fixture
def gateway_settings(gateway_settings: GatewayProcessSettings) -> GatewayProcessSettings:
    """The gateway accepts receivers on this machine."""
    return gateway_settings.model_copy(update={"webhooks": webhook_settings()})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Endpoint:
    """An endpoint of a project, and its delivery log."""

    def __init__(self, project: Project, url: str, **fields: Any) -> None:
        answer = project.post(PATH, json={"url": url, **fields})
        assert answer.status_code == 201, answer.text
        self.project, self.created = project, answer.json()
        self.path = f"{PATH}/{self.created['id']}"

    def read(self) -> dict[str, Any]:
        return self.project.get(self.path).json()

    def deliveries(self, query: str = "") -> list[dict[str, Any]]:
        return self.project.get(f"{self.path}/deliveries{query}").json()["data"]

    def details(self, delivery: dict[str, Any]) -> dict[str, Any]:
        return self.project.get(f"{self.path}/deliveries/{delivery['id']}").json()

    def all_ended(self) -> bool:
        return all(delivery["state"] != "pending" for delivery in self.deliveries())

    def settled(self, database: Database, **settings: Any) -> None:
        """Send everything that waits."""
        with sending(database, webhook_settings(**settings)):
            eventually(self.all_ended, "the end of all deliveries")

    def change_row(self, database: Database, **values: Any) -> None:
        mine = WebhookEndpoint.id == parse_id(IdKind.WEBHOOK_ENDPOINT, self.created["id"])
        with database.transaction() as session:
            session.execute(update(WebhookEndpoint).where(mine).values(values))


def test_the_log_has_the_request_and_the_answer_of_each_try(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    answers = iter([(500, b"\xff\x00" + b"x" * 5000), (200, b"ok")])
    receiver.answer = lambda handler, _: handler.reply(*next(answers))
    endpoint = Endpoint(alice, receiver.url, event_types=["job.queued"])
    job = alice.submit().json()
    endpoint.settled(database)

    [listed] = endpoint.deliveries()
    assert (listed["event_type"], listed["job_id"], listed["seq"]) == ("job.queued", job["id"], 1)
    assert (listed["state"], listed["failures"], listed["last_status"]) == ("delivered", 1, 200)
    assert listed["next_try_at"] is None
    details = endpoint.details(listed)
    assert {name: details[name] for name in listed} == listed
    requests = receiver.arrived()
    assert details["body"].encode() == requests[0].body == requests[1].body
    assert [one["number"] for one in details["tries"]] == [1, 2]
    assert [(one["status"], one["error"]) for one in details["tries"]] == [(500, "status"), (200, None)]
    assert details["tries"][0]["answer"] == "\ufffd\ufffd" + "x" * 1022
    assert details["tries"][1]["answer"] == "ok"
    for one, request in zip(details["tries"], requests, strict=True):
        assert one["url"] == receiver.url
        assert all(request.headers[name] == value for name, value in one["headers"].items())
        assert one["headers"]["webhook-id"] == listed["id"]


def test_deliveries_are_filtered_by_state_and_listed_in_pages(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    endpoint = Endpoint(alice, receiver.url, event_types=["job.queued"])
    for _ in range(3):
        alice.submit()
    endpoint.settled(database)
    alice.submit()
    assert [one["state"] for one in endpoint.deliveries()] == ["pending", *["delivered"] * 3]
    assert len(endpoint.deliveries("?state=pending")) == 1
    assert len(endpoint.deliveries("?state=exhausted&state=delivered")) == 3
    page = alice.get(f"{endpoint.path}/deliveries?limit=3").json()
    rest = endpoint.deliveries(f"?after={page['next_cursor']}")
    assert [one["id"] for one in [*page["data"], *rest]] == [one["id"] for one in endpoint.deliveries()]


def test_a_test_event_is_sent_once_whatever_the_filter_is(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda handler, _: handler.reply(500, b"no")
    endpoint = Endpoint(alice, receiver.url, event_types=["job.failed"])
    queued = alice.post(f"{endpoint.path}/test")
    assert (queued.status_code, queued.json()["state"]) == (202, "pending")
    endpoint.settled(database)
    [delivery] = endpoint.deliveries()
    assert (delivery["id"], delivery["state"], delivery["job_id"]) == (queued.json()["id"], "exhausted", None)
    [request] = receiver.arrived()
    message = Webhook(endpoint.created["secret"]).verify(request.body, request.headers)
    assert message["type"] == "webhook_endpoint.test"
    assert message["data"]["webhook_endpoint"]["id"] == endpoint.created["id"]
    assert endpoint.read()["failing_since"] is None, "a failed test says nothing about the events"


def test_a_delivery_is_sent_again_with_its_id(alice: Project, database: Database, receiver: Receiver) -> None:
    endpoint = Endpoint(alice, receiver.url, event_types=["job.queued"])
    alice.submit()
    endpoint.settled(database)
    [delivery] = endpoint.deliveries()
    again = alice.post(f"{endpoint.path}/deliveries/{delivery['id']}/redeliver")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    endpoint.settled(database)
    first, second = receiver.arrived()
    assert (first.id, first.body) == (second.id, second.body)
    assert [one["number"] for one in endpoint.details(delivery)["tries"]] == [1, 2]


def test_a_waiting_delivery_is_sent_at_once_when_it_is_redelivered(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    answers = iter([500, 200])
    receiver.answer = lambda handler, _: handler.reply(next(answers))
    endpoint = Endpoint(alice, receiver.url, event_types=["job.queued"])
    alice.submit()
    with sending(database, webhook_settings(retry_seconds=[100_000])):
        eventually(lambda: endpoint.deliveries()[0]["failures"] == 1, "the first try")
        [delivery] = endpoint.deliveries()
        alice.post(f"{endpoint.path}/deliveries/{delivery['id']}/redeliver")
        eventually(endpoint.all_ended, "the second try")
    assert endpoint.deliveries()[0]["state"] == "delivered"


def test_a_delivery_that_is_being_sent_is_not_sent_twice(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    receiver.answer = receiver.hang
    endpoint = Endpoint(alice, receiver.url, event_types=["job.queued"])
    alice.submit()
    with sending(database, webhook_settings(timeout_seconds=60, retry_seconds=[100_000])):
        eventually(receiver.arrived, "the request")
        [delivery] = endpoint.deliveries()
        assert alice.post(f"{endpoint.path}/deliveries/{delivery['id']}/redeliver").json() == delivery
        receiver.ending.set()
        eventually(lambda: endpoint.deliveries()[0]["failures"] == 1, "the end of the try")
    assert len(receiver.arrived()) == 1


def test_everything_that_the_receiver_lacks_since_a_time_is_sent_again(
    alice: Project, database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint(alice, receiver.url, event_types=["job.queued"])
    alice.submit()
    endpoint.settled(database)
    receiver.answer = lambda handler, _: handler.reply(500)
    for _ in range(3):
        alice.submit()
    endpoint.settled(database, retry_seconds=[])
    failed = endpoint.deliveries("?state=exhausted")[::-1]
    assert len(failed) == 3
    receiver.answer = lambda handler, _: handler.reply(200)

    monkeypatch.setattr(redeliver, "MOST_REDELIVERIES", 1)
    since = {"since": failed[1]["created_at"]}
    first = alice.post(f"{endpoint.path}/redeliver", json=since).json()
    assert (first["count"], first["has_more"]) == (1, True)
    assert first["next_since"] == failed[2]["created_at"]
    second = alice.post(f"{endpoint.path}/redeliver", json={"since": first["next_since"]}).json()
    assert (second["count"], second["has_more"], second["next_since"]) == (1, False, None)
    endpoint.settled(database)
    states = [one["state"] for one in endpoint.deliveries()]
    assert states == ["delivered", "delivered", "exhausted", "delivered"]

    monkeypatch.undo()
    everything = {"since": "2026-01-01T00:00:00Z", "states": ["delivered", "exhausted", "abandoned"]}
    assert alice.post(f"{endpoint.path}/redeliver", json=everything).json()["count"] == 4


@pytest.mark.parametrize(
    "body", [{}, {"since": "yesterday"}, {"since": "2026-01-01T00:00:00Z", "states": []}]
)
def test_a_redelivery_without_a_time_or_states_is_refused(alice: Project, body: dict[str, Any]) -> None:
    endpoint = Endpoint(alice, "https://example.org/")
    assert_problem(alice.post(f"{endpoint.path}/redeliver", json=body), ProblemCode.INVALID_REQUEST)


def test_thin_messages_have_id_state_and_url(alice: Project, database: Database, receiver: Receiver) -> None:
    endpoint = Endpoint(alice, receiver.url, payload="thin", event_types=["job.queued"])
    job = alice.submit().json()
    alice.post(f"/v1/jobs/{job['id']}/cancel")
    endpoint.settled(database)
    [request] = receiver.arrived()
    links = {"self": job["links"]["self"]}
    assert request.message["data"] == {
        "job": {"id": job["id"], "object": "job", "status": "queued", "links": links}
    }


def public_key_accepts(shown: str, request: Received) -> bool:
    """Verify a v1a signature as the specification says, without our code."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown.removeprefix("whpk_")))
    content = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    for one in request.headers["webhook-signature"].split(" "):
        version, _, made = one.partition(",")
        assert version == "v1a"
        try:
            key.verify(base64.b64decode(made), content)
        except InvalidSignature:
            continue
        return True
    return False


def test_ed25519_signatures_are_verified_by_the_public_key_alone(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    endpoint = Endpoint(alice, receiver.url, signature="v1a", event_types=["job.queued"])
    alice.submit()
    endpoint.settled(database)
    [request] = receiver.arrived()
    assert public_key_accepts(endpoint.created["public_key"], request)
    changed = Received(request.path, request.headers, request.body.replace(b"red", b"blue"))
    assert not public_key_accepts(endpoint.created["public_key"], changed)
    other = Endpoint(alice, receiver.url, signature="v1a")
    assert not public_key_accepts(other.created["public_key"], request)


@pytest.mark.parametrize("signature", ["v1", "v1a"])
def test_both_secrets_verify_messages_during_a_rotation_and_only_the_new_one_after_it(
    alice: Project, database: Database, receiver: Receiver, signature: str
) -> None:
    endpoint = Endpoint(alice, receiver.url, signature=signature, event_types=["job.queued"])
    new = alice.post(f"{endpoint.path}/rotate_secret", json={"overlap_seconds": 60}).json()

    def accepted(shown: dict[str, Any], request: Received) -> bool:
        if signature == "v1a":
            return public_key_accepts(shown["public_key"], request)
        try:
            Webhook(shown["secret"]).verify(request.body, request.headers)
        except WebhookVerificationError:
            return False
        return True

    alice.submit()
    endpoint.settled(database)
    endpoint.change_row(database, previous_secret_expires_at=time_after(-1))
    alice.submit()
    endpoint.settled(database)
    during, after = receiver.arrived()
    assert [accepted(shown, during) for shown in (endpoint.created, new)] == [True, True]
    assert [accepted(shown, after) for shown in (endpoint.created, new)] == [False, True]


def test_an_endpoint_that_fails_for_five_days_is_disabled_and_the_others_are_told(
    alice: Project, bob: Project, database: Database, receiver: Receiver
) -> None:
    with receiving() as listening:
        failing = Endpoint(alice, receiver.url, event_types=["job.queued"])
        told = Endpoint(alice, listening.url, event_types=["webhook_endpoint.*"])
        not_asked = Endpoint(alice, listening.url, event_types=["job.failed"])
        foreign = Endpoint(bob, listening.url, event_types=["webhook_endpoint.disabled"])
        receiver.answer = lambda handler, _: handler.reply(500)
        alice.submit()
        failing.settled(database, retry_seconds=[])
        assert failing.read()["status"] == "enabled"
        assert failing.read()["failing_since"] is not None

        failing.change_row(database, failing_since=time_after(60 - FIVE_DAYS))
        alice.submit()
        failing.settled(database, retry_seconds=[])
        assert failing.read()["status"] == "enabled"

        failing.change_row(database, failing_since=time_after(-FIVE_DAYS - 1))
        alice.submit()
        failing.settled(database, retry_seconds=[])
        told.settled(database)
    assert (failing.read()["status"], failing.read()["disabled_reason"]) == ("disabled", "failing")
    [announced] = listening.arrived()
    message = Webhook(told.created["secret"]).verify(announced.body, announced.headers)
    assert message["type"] == "webhook_endpoint.disabled"
    assert message["data"]["webhook_endpoint"]["id"] == failing.created["id"]
    assert message["data"]["webhook_endpoint"]["disabled_reason"] == "failing"
    assert (not_asked.deliveries(), foreign.deliveries()) == ([], [])
    enabled = alice.post(f"{failing.path}/enable").json()
    assert (enabled["status"], enabled["failing_since"]) == ("enabled", None)


def test_one_success_is_enough_to_stay_enabled(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    endpoint = Endpoint(alice, receiver.url, event_types=["job.queued"])
    endpoint.change_row(database, failing_since=time_after(-FIVE_DAYS - 1))
    alice.submit()
    endpoint.settled(database)
    assert endpoint.read()["failing_since"] is None
    receiver.answer = lambda handler, _: handler.reply(500)
    alice.submit()
    endpoint.settled(database, retry_seconds=[])
    assert endpoint.read()["status"] == "enabled"


def test_an_endpoint_that_answers_410_is_announced(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda handler, _: handler.reply(410)
    with receiving() as listening:
        gone = Endpoint(alice, receiver.url, event_types=["job.queued"])
        told = Endpoint(alice, listening.url, event_types=["webhook_endpoint.disabled"])
        alice.submit()
        gone.settled(database)
        eventually(told.deliveries, "the announcement")
        told.settled(database)
    assert gone.read()["disabled_reason"] == "gone"
    [announced] = listening.arrived()
    assert announced.message["data"]["webhook_endpoint"]["disabled_reason"] == "gone"


def test_waiting_messages_go_to_the_new_url_of_an_endpoint(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    endpoint = Endpoint(alice, "http://127.0.0.1:1/hook", event_types=["job.queued"])
    alice.submit()
    alice.patch(endpoint.path, json={"url": receiver.url})
    endpoint.settled(database)
    assert len(receiver.arrived()) == 1


def test_a_deleted_job_takes_its_messages_along(
    alice: Project, database: Database, receiver: Receiver
) -> None:
    endpoint = Endpoint(alice, receiver.url, event_types=["job.*"])
    job = alice.submit().json()["id"]
    alice.post(f"/v1/jobs/{job}/cancel")
    assert alice.delete(f"/v1/jobs/{job}").status_code == 204
    with database.transaction() as session:
        assert session.query(Delivery).count() == 0
    assert endpoint.deliveries() == []
