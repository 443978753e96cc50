"""A repeated request with the same Idempotency-Key queues one job and gets the same answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import null, update

from services.api.jobs.idempotency import Claim, RecordedAnswer, claim_key, record_answer
from services.api.problems.codes import Problem, ProblemCode
from shared.database import Database
from shared.job_store.clock import time_after
from shared.tables import IdempotencyRecord, Job
from tests.support.factories import must_claim, queue_job
from tests.support.gateway.clients import Project, assert_problem

KEY = {"Idempotency-Key": "order-12"}
SHA256 = bytes(32)


def count_jobs(database: Database) -> int:
    with database.transaction() as session:
        return session.query(Job).count()


def test_the_same_key_and_body_get_the_same_answer_and_one_job(alice: Project, database: Database) -> None:
    first = alice.submit(KEY, metadata={"a": "1", "b": "2"})
    must_claim(database)
    second = alice.submit(KEY, metadata={"b": "2", "a": "1"})
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["location"] == first.headers["location"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert count_jobs(database) == 1


def test_the_same_key_with_another_body_is_refused(alice: Project, database: Database) -> None:
    alice.submit(KEY)
    assert_problem(alice.submit(KEY, n=2), ProblemCode.IDEMPOTENCY_KEY_REUSED, "Idempotency-Key")
    assert count_jobs(database) == 1


def test_a_refused_request_does_not_use_up_its_key(alice: Project) -> None:
    missing = alice.submit(KEY, task="edit", image="img_" + "0" * 26)
    assert_problem(missing, ProblemCode.INVALID_REQUEST, "image")
    assert alice.submit(KEY).status_code == 202


def test_a_request_whose_twin_is_at_work_is_told_to_come_back(alice: Project, database: Database) -> None:
    alice.submit(KEY)
    unanswered = dict.fromkeys(("response_status", "response_headers", "response_body"), null())
    with database.transaction() as session:
        session.execute(update(IdempotencyRecord).values(unanswered))
    answer = alice.submit(KEY)
    assert_problem(answer, ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT, "Idempotency-Key")
    assert answer.headers["retry-after"] == "1"


def test_requests_at_the_same_moment_make_one_job(alice: Project, database: Database) -> None:
    together = threading.Barrier(6)

    def post(_: int) -> int:
        together.wait()
        return alice.submit(KEY).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(post, range(6)))
    assert set(statuses) <= {202, 409}
    assert 202 in statuses
    assert count_jobs(database) == 1


def test_the_claim_of_a_dead_gateway_is_taken_over_and_cannot_answer_any_more(
    alice: Project, database: Database
) -> None:
    with database.transaction() as session:
        dead = claim_key(session, alice.project_id, "key", SHA256)
        session.execute(update(IdempotencyRecord).values(expires_at=time_after(-1)))
    assert isinstance(dead, Claim)
    with database.transaction() as session:
        heir = claim_key(session, alice.project_id, "key", SHA256)
    assert isinstance(heir, Claim)
    answer = RecordedAnswer(202, {}, {"id": "job"}, queue_job(database, alice.project_id))
    with pytest.raises(Problem, match="still being processed"), database.transaction() as session:
        record_answer(session, dead, answer)
    with database.transaction() as session:
        record_answer(session, heir, answer)
    with database.transaction() as session:
        assert claim_key(session, alice.project_id, "key", SHA256) == answer


def test_an_answer_is_forgotten_after_its_time(alice: Project, database: Database) -> None:
    first = alice.submit(KEY)
    with database.transaction() as session:
        session.execute(update(IdempotencyRecord).values(expires_at=time_after(-1)))
    second = alice.submit(KEY, n=2)
    assert second.status_code == 202
    assert second.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256])
def test_a_key_that_cannot_be_one_is_refused(alice: Project, key: str) -> None:
    answer = alice.submit({"Idempotency-Key": key})
    assert_problem(answer, ProblemCode.INVALID_REQUEST, "Idempotency-Key")


def test_every_unused_key_makes_a_job_of_its_own(alice: Project, database: Database) -> None:
    for _ in range(3):
        alice.submit({"Idempotency-Key": uuid4().hex})
    assert count_jobs(database) == 3
