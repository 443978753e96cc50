"""With `Prefer: wait`, the gateway answers when the job has ended."""

import threading

from shared.database import Database
from shared.events import EventPublisher
from shared.ids import IdKind, parse_id
from shared.job_store import succeed_job
from tests.support.factories import must_claim, one_picture
from tests.support.gateway.clients import Project


def finish_the_next_job(database: Database, publisher: EventPublisher, queued: threading.Event) -> None:
    """Act as a worker: finish a job as soon as it is queued, and publish its event."""
    queued.wait()
    claimed = must_claim(database)
    with database.transaction() as session:
        succeed_job(session, claimed.lease, one_picture())
    publisher.publish(claimed.lease.job_id, {"type": "succeeded"})


def test_a_job_that_ends_in_time_is_answered_with_its_pictures(
    alice: Project, database: Database, publisher: EventPublisher
) -> None:
    key = {"Idempotency-Key": "one"}
    job_id = alice.submit(key).json()["id"]
    queued = threading.Event()
    worker = threading.Thread(target=finish_the_next_job, args=(database, publisher, queued))
    worker.start()
    queued.set()
    answer = alice.submit({**key, "Prefer": "wait=60"})
    worker.join()
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (200, job_id, "succeeded")
    assert answer.headers["preference-applied"] == "wait=60"
    assert len(answer.json()["outputs"]) == 1


def test_a_job_that_does_not_end_in_time_is_answered_as_accepted(alice: Project) -> None:
    answer = alice.submit({"Prefer": "wait=0"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["location"].endswith(answer.json()["id"])
    assert parse_id(IdKind.JOB, answer.json()["id"])
