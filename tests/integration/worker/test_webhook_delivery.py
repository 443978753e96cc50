"""Webhooks over real HTTP: signatures, tries, limits, and receivers that misbehave."""

import itertools
from collections.abc import Iterator
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.worker.maintenance.webhook_delivery.outcomes import TryError
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import request_cancel
from shared.tables import DeliveryState, DisabledReason
from shared.webhooks.signatures import shown_secret
from tests.support.factories import make_project, queue_job
from tests.support.platforms.platform import eventually
from tests.support.servers.receiver import Handler, Received, Receiver, receiving
from tests.support.webhooks import (
    add_endpoint,
    all_done,
    read_deliveries,
    read_endpoint,
    read_tries,
    sending,
    webhook_settings,
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def deliver_one(database: Database, project_id: UUID, receiver: Receiver, **own: object) -> TryError | None:
    """Send one event, once, and return the error of the try. It runs to its end."""
    endpoint = add_endpoint(database, project_id, receiver.url)
    queue_job(database, project_id)
    with sending(database, webhook_settings(retry_seconds=[], **own)):
        eventually(lambda: all_done(database, endpoint), "the end of the delivery")
    [delivery] = read_deliveries(database, endpoint)
    [one] = read_tries(database, delivery)
    assert (delivery.last_status, delivery.last_error) == (one.status, one.error)
    assert (delivery.state == DeliveryState.DELIVERED) == (one.error is None)
    return None if one.error is None else TryError(one.error)


def test_the_library_of_the_standard_accepts_a_delivery_and_refuses_a_changed_one(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    endpoint = add_endpoint(database, project_id, receiver.url)
    job_id = queue_job(database, project_id)
    with sending(database, webhook_settings()):
        eventually(lambda: all_done(database, endpoint), "the delivery")

    [request] = receiver.arrived()
    message = Webhook(shown_secret(endpoint.secret)).verify(request.body, request.headers)
    [delivery] = read_deliveries(database, endpoint)
    assert request.id == format_id(IdKind.DELIVERY, delivery.id)
    assert request.headers["content-type"] == "application/json"
    assert (message["type"], message["seq"]) == ("job.queued", 1)
    job = message["data"]["job"]
    assert (job["id"], job["status"]) == (format_id(IdKind.JOB, job_id), "queued")
    assert job["request"]["prompt"] == "a red circle"
    assert job["links"]["self"] == f"http://testserver/v1/jobs/{job['id']}"
    for changed in (request.body.replace(b"red", b"blue"), request.body + b" "):
        with pytest.raises(WebhookVerificationError):
            Webhook(shown_secret(endpoint.secret)).verify(changed, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(shown_secret(bytes(32))).verify(request.body, request.headers)


def test_a_receiver_that_fails_five_times_gets_the_same_message_six_times(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    statuses = itertools.chain([500, 502, 404, 429, 503], itertools.repeat(200))
    receiver.answer = lambda handler, _: handler.reply(next(statuses), b"not yet")
    endpoint = add_endpoint(database, project_id, receiver.url)
    queue_job(database, project_id)
    with sending(database, webhook_settings()):
        eventually(lambda: all_done(database, endpoint), "the delivery")

    [delivery] = read_deliveries(database, endpoint)
    tries = read_tries(database, delivery)
    assert (delivery.state, delivery.tries, delivery.failures) == (DeliveryState.DELIVERED, 6, 5)
    assert [one.status for one in tries] == [500, 502, 404, 429, 503, 200]
    assert [one.error for one in tries] == ["status"] * 5 + [None]
    assert {one.answer for one in tries} == {"not yet"}
    requests = receiver.arrived()
    assert len({(request.id, request.body) for request in requests}) == 1
    assert [request.headers["webhook-signature"] for request in requests] == [one.signature for one in tries]
    for request, one in zip(requests, tries, strict=True):
        assert int(request.headers["webhook-timestamp"]) == int(one.sent_at.timestamp())
        Webhook(shown_secret(endpoint.secret)).verify(request.body, request.headers)


def test_after_its_last_try_a_delivery_is_exhausted(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    receiver.answer = lambda handler, _: handler.reply(500)
    endpoint = add_endpoint(database, project_id, receiver.url)
    queue_job(database, project_id)
    with sending(database, webhook_settings()):
        eventually(lambda: all_done(database, endpoint), "the last try")
    [delivery] = read_deliveries(database, endpoint)
    assert (delivery.state, delivery.failures) == (DeliveryState.EXHAUSTED, 10)
    assert len(receiver.arrived()) == 10
    assert read_endpoint(database, endpoint).disabled_at is None


@pytest.mark.parametrize(("retry_after", "shortest"), [(None, 5), ("120", 120), ("99999999999", 86_400)])
def test_the_next_try_is_after_the_pause_of_the_schedule_or_later_if_the_receiver_asks_for_it(
    database: Database, project_id: UUID, receiver: Receiver, retry_after: str | None, shortest: int
) -> None:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    receiver.answer = lambda handler, _: handler.reply(503, headers=headers)
    endpoint = add_endpoint(database, project_id, receiver.url)
    queue_job(database, project_id)
    usual = webhook_settings().model_copy(update={"retry_seconds": [5, 300]})
    with sending(database, usual):
        eventually(lambda: read_deliveries(database, endpoint)[0].failures == 1, "the first try")
    [delivery] = read_deliveries(database, endpoint)
    [one] = read_tries(database, delivery)
    pause = (delivery.next_try_at - one.sent_at).total_seconds()
    assert shortest <= pause < shortest * 1.1 + 60
    assert delivery.lease_owner is None


def test_a_receiver_that_hangs_is_given_up_after_the_time_limit(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    receiver.answer = receiver.hang
    assert deliver_one(database, project_id, receiver, timeout_seconds=0.3) == TryError.TIMEOUT


def test_an_answer_that_trickles_is_given_up_after_the_time_limit(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    def trickle(handler: Handler, _: Received) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not receiver.ending.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    receiver.answer = trickle
    assert deliver_one(database, project_id, receiver, timeout_seconds=0.5) == TryError.TIMEOUT


def test_an_answer_that_begins_and_never_gets_to_its_status_is_given_up_after_the_time_limit(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    def trickle(handler: Handler, _: Received) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not receiver.ending.wait(0.02):
            handler.wfile.write(b"x: y\r\n")
            handler.wfile.flush()

    receiver.answer = trickle
    assert deliver_one(database, project_id, receiver, timeout_seconds=0.5) == TryError.TIMEOUT


def test_an_endless_answer_is_read_to_64_kilobytes(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    def pour(handler: Handler, _: Received) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not receiver.ending.is_set():
            handler.wfile.write(b"x" * 65_536)

    receiver.answer = pour
    assert deliver_one(database, project_id, receiver, timeout_seconds=30) == TryError.ANSWER_TOO_LONG


def test_a_redirect_into_the_own_machine_is_never_followed(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    with receiving() as inside:
        receiver.answer = lambda handler, _: handler.reply(307, headers={"Location": inside.url})
        assert deliver_one(database, project_id, receiver) == TryError.REDIRECT
        assert inside.arrived() == []


def test_a_receiver_that_answers_410_gets_nothing_more(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    receiver.answer = lambda handler, _: handler.reply(410)
    endpoint = add_endpoint(database, project_id, receiver.url, "job.queued")
    queue_job(database, project_id)
    with sending(database, webhook_settings()):
        eventually(lambda: read_endpoint(database, endpoint).disabled_at, "the end of the endpoint")
        queue_job(database, project_id)
        eventually(lambda: all_done(database, endpoint), "the end of the deliveries")
    [delivery] = read_deliveries(database, endpoint)
    assert (delivery.state, delivery.last_status) == (DeliveryState.ABANDONED, 410)
    assert read_endpoint(database, endpoint).disabled_reason == DisabledReason.GONE
    assert len(receiver.arrived()) == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:{port}/hook", TryError.URL_FORBIDDEN),
        ("http://localhost:{port}/hook", TryError.URL_FORBIDDEN),
        ("http://0x7f.1:{port}/hook", TryError.URL_FORBIDDEN),
        ("http://nowhere.invalid/hook", TryError.HOST_UNRESOLVED),
    ],
)
def test_private_addresses_are_refused_at_every_try_unless_the_operator_allows_them(
    database: Database, project_id: UUID, receiver: Receiver, url: str, error: TryError
) -> None:
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])
    receiver.url = url.format(port=port)
    own = {"allowed_networks": "", "ports": [80, 443, port]}
    assert deliver_one(database, project_id, receiver, **own) == error
    assert receiver.arrived() == []


def test_no_connection_is_a_failed_try(database: Database, project_id: UUID) -> None:
    nobody = Receiver(url="http://127.0.0.1:1/hook")
    assert deliver_one(database, project_id, nobody) == TryError.CONNECTION_FAILED


def test_receivers_that_hang_delay_no_other(database: Database, project_id: UUID, receiver: Receiver) -> None:
    """The healthy receiver has everything while the others still hold all requests that they can get."""
    with receiving() as dead, receiving() as also_dead:
        dead.answer, also_dead.answer = dead.hang, also_dead.hang
        for hanging in (dead, also_dead):
            add_endpoint(database, project_id, hanging.url)
        healthy = add_endpoint(database, project_id, receiver.url)
        jobs = {format_id(IdKind.JOB, queue_job(database, project_id)) for _ in range(30)}
        settings = webhook_settings(max_in_flight=16, max_in_flight_per_receiver=2, timeout_seconds=60)
        with sending(database, settings):
            eventually(lambda: all_done(database, healthy), "every delivery to the healthy receiver")
            assert {request.message["data"]["job"]["id"] for request in receiver.arrived()} == jobs
            assert [len(hanging.arrived()) for hanging in (dead, also_dead)] == [2, 2]
            for hanging in (dead, also_dead):
                hanging.ending.set()


def test_jobs_that_name_one_dead_host_delay_no_other_project(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    """Endpoints of jobs share the limits of their host, however many jobs there are."""
    with receiving() as dead:
        dead.answer = dead.hang
        for _ in range(20):
            job_id = queue_job(database, project_id)
            origin = dead.url.removesuffix("/hook")
            add_endpoint(database, project_id, dead.url, "job.canceled", job_id=job_id, origin=origin)
            cancel(database, project_id, job_id)
        other = make_project(database, "other")
        healthy = add_endpoint(database, other, receiver.url)
        queue_job(database, other)
        with sending(database, webhook_settings(max_in_flight=8, timeout_seconds=60)):
            eventually(lambda: all_done(database, healthy), "the delivery to the healthy receiver")
            eventually(lambda: len(dead.arrived()) == 4, "the requests that the dead receiver may hold")
            dead.ending.set()


def test_two_io_workers_send_each_delivery_once(
    database: Database, project_id: UUID, receiver: Receiver
) -> None:
    endpoint = add_endpoint(database, project_id, receiver.url)
    for _ in range(40):
        queue_job(database, project_id)
    with sending(database, webhook_settings()), sending(database, webhook_settings()):
        eventually(lambda: all_done(database, endpoint), "every delivery")
    ids = [request.id for request in receiver.arrived()]
    assert len(ids) == len(set(ids)) == 40


def cancel(database: Database, project_id: UUID, job_id: UUID) -> None:
    with database.transaction() as session:
        request_cancel(session, project_id, job_id)
