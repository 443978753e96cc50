"""Claims of deliveries in the database: leases, the fence, and shares of receivers and projects."""

from collections import Counter
from uuid import UUID

from services.worker.maintenance.webhook_delivery.bulkheads import Bulkheads, Limits, Room
from services.worker.maintenance.webhook_delivery.outcomes import Answer, Delivered, TryAgain, TryError
from services.worker.maintenance.webhook_delivery.rows import (
    ClaimedDelivery,
    SentTry,
    claim_deliveries,
    compose_message,
    record_try,
)
from shared.database import Database
from shared.tables import DeliveryState, DisabledReason, JobRequestRow, WebhookEndpoint
from shared.webhooks.endpoints import disable_endpoint
from tests.support.factories import make_project, queue_job
from tests.support.webhooks import add_endpoint, let_leases_end, read_deliveries, read_tries

URL = "https://hooks.example/hook"
LIMITS = Limits(in_flight=8, per_receiver=2, per_second=100)
EMPTY = Bulkheads(LIMITS).room(0.0)
SENT = SentTry("v1,signature", Answer(0.1, status=200))
FAILED = SentTry("v1,signature", Answer(0.1, status=500, error=TryError.STATUS))


def claim(database: Database, owner: str = "io-1", room: Room = EMPTY) -> list[ClaimedDelivery]:
    with database.transaction() as session:
        return list(claim_deliveries(session, owner, 15.0, room))


def record(
    database: Database, claimed: ClaimedDelivery, sent: SentTry, outcome: Delivered | TryAgain
) -> bool:
    with database.transaction() as session:
        return record_try(session, claimed, sent, outcome)


def test_a_delivery_is_claimed_once_until_its_lease_ends(database: Database, project_id: UUID) -> None:
    add_endpoint(database, project_id, URL)
    queue_job(database, project_id)
    [first] = claim(database)
    assert first.number == 1
    assert claim(database, "io-2") == []
    let_leases_end(database)
    [second] = claim(database, "io-2")
    assert (second.id, second.number) == (first.id, 2)


def test_a_late_io_worker_records_nothing(database: Database, project_id: UUID) -> None:
    endpoint = add_endpoint(database, project_id, URL)
    queue_job(database, project_id)
    [late] = claim(database)
    let_leases_end(database)
    [current] = claim(database, "io-2")
    assert not record(database, late, FAILED, TryAgain(0))
    assert record(database, current, SENT, Delivered())
    assert not record(database, current, SENT, Delivered())
    [delivery] = read_deliveries(database, endpoint)
    assert (delivery.state, delivery.failures) == (DeliveryState.DELIVERED, 0)
    assert [one.number for one in read_tries(database, delivery)] == [2]


def test_a_killed_io_worker_costs_none_of_the_tries(database: Database, project_id: UUID) -> None:
    endpoint = add_endpoint(database, project_id, URL)
    queue_job(database, project_id)
    for number in range(1, 31):
        [claimed] = claim(database)
        assert (claimed.number, claimed.failures) == (number, 0)
        let_leases_end(database)
    [delivery] = read_deliveries(database, endpoint)
    assert (delivery.state, delivery.tries) == (DeliveryState.PENDING, 30)


def test_a_message_stays_the_same_in_all_tries(database: Database, project_id: UUID) -> None:
    add_endpoint(database, project_id, URL)
    job_id = queue_job(database, project_id)
    [first] = claim(database)
    with database.transaction() as session:
        body = compose_message(session, first, "http://testserver")
    with database.transaction() as session:
        row = session.get_one(JobRequestRow, job_id)
        row.request = {**row.request, "prompt": "another"}
    assert record(database, first, FAILED, TryAgain(0))
    [second] = claim(database)
    assert second.body == body
    assert second.failures == 1


def test_a_receiver_and_a_project_get_no_more_than_their_share(database: Database, project_id: UUID) -> None:
    small = make_project(database, "small")
    for _ in range(6):
        add_endpoint(database, project_id, URL)
    only = add_endpoint(database, small, URL)
    for _ in range(5):
        queue_job(database, project_id)
        queue_job(database, small)
    claimed = claim(database)
    receivers = Counter(one.receiver for one in claimed)
    projects = Counter(one.receiver.partition("/")[0] for one in claimed)
    assert max(receivers.values()) <= LIMITS.per_receiver
    assert projects == {str(project_id): LIMITS.per_project, str(small): LIMITS.per_receiver}
    assert receivers[f"{small}/{only.id}"] == LIMITS.per_receiver


def test_receivers_without_room_are_left_out(database: Database, project_id: UUID) -> None:
    full, free = (add_endpoint(database, project_id, URL) for _ in range(2))
    queue_job(database, project_id)
    bulkheads = Bulkheads(LIMITS)
    for _ in range(LIMITS.per_receiver):
        bulkheads.begin(f"{project_id}/{full.id}", 0.0)
    assert [one.endpoint_id for one in claim(database, room=bulkheads.room(0.0))] == [free.id]


def test_the_oldest_deliveries_of_a_receiver_are_claimed_first(database: Database, project_id: UUID) -> None:
    add_endpoint(database, project_id, URL)
    jobs = [queue_job(database, project_id) for _ in range(3)]
    assert {one.job_id for one in claim(database)} == set(jobs[:2])


def test_deliveries_to_a_disabled_endpoint_are_abandoned(database: Database, project_id: UUID) -> None:
    endpoint = add_endpoint(database, project_id, URL)
    for _ in range(3):
        queue_job(database, project_id)
    running = claim(database)
    assert len(running) == 2
    with database.transaction() as session:
        disable_endpoint(session, session.get_one(WebhookEndpoint, endpoint.id), DisabledReason.GONE)
    states = [row.state for row in read_deliveries(database, endpoint)]
    assert sorted(states) == [DeliveryState.ABANDONED, DeliveryState.PENDING, DeliveryState.PENDING]
    assert record(database, running[0], FAILED, TryAgain(0))
    let_leases_end(database)
    assert claim(database) == []
    assert {row.state for row in read_deliveries(database, endpoint)} == {DeliveryState.ABANDONED}
