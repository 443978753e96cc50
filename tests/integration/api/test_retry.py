"""Retry a job that ended without success: a new job with the same request and the same seed."""

import pytest
from sqlalchemy import update

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import fail_job, succeed_job
from shared.job_store.clock import time_after
from shared.tables import Image, JobRequestRow, SessionRow, Turn
from tests.support.factories import must_claim, one_picture
from tests.support.gateway.clients import Project, assert_problem, png


def fail(database: Database) -> None:
    with database.transaction() as session:
        error = JobError(JobErrorCode.IMAGE_UNREADABLE, "The picture ends early.")
        fail_job(session, must_claim(database).lease, error)


def test_a_retry_draws_the_same_request_with_the_same_seed(alice: Project, database: Database) -> None:
    image = alice.upload(png()).json()["id"]
    first = alice.submit(task="edit", image=image, n=2, metadata={"order": "12"}, priority="low").json()
    fail(database)
    answer = alice.post(f"/v1/jobs/{first['id']}/retry")
    retry = answer.json()
    assert (answer.status_code, retry["status"], retry["attempt"]) == (202, "queued", 0)
    assert answer.headers["location"] == retry["links"]["self"] != first["links"]["self"]
    assert retry["request"] == first["request"]
    assert retry["metadata"] == {"order": "12"}
    assert (retry["retry_of"], retry["retries"]) == (first["id"], [])
    old = alice.get(first["links"]["self"]).json()
    assert (old["status"], old["retry_of"], old["retries"]) == ("failed", None, [retry["id"]])


def test_every_retry_is_listed_oldest_first(alice: Project) -> None:
    path = alice.submit().headers["location"]
    alice.post(f"{path}/cancel")
    retries = [alice.post(f"{path}/retry").json()["id"] for _ in range(2)]
    assert alice.get(path).json()["retries"] == retries


def test_a_repeated_retry_with_a_key_queues_one_job(alice: Project) -> None:
    path = alice.submit().headers["location"]
    alice.post(f"{path}/cancel")
    first, again = (alice.post(f"{path}/retry", {"Idempotency-Key": "again"}) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json() == again.json()
    assert len(alice.get(path).json()["retries"]) == 1


@pytest.mark.parametrize("state", ["queued", "running", "canceling", "succeeded"])
def test_a_job_that_has_not_failed_is_not_retried(alice: Project, database: Database, state: str) -> None:
    path = alice.submit().headers["location"]
    lease = None if state == "queued" else must_claim(database).lease
    if state == "canceling":
        alice.post(f"{path}/cancel")
    if state == "succeeded" and lease is not None:
        with database.transaction() as session:
            succeed_job(session, lease, one_picture())
    assert alice.get(path).json()["status"] == state
    assert_problem(alice.post(f"{path}/retry"), ProblemCode.JOB_NOT_RETRYABLE, "job_id")


def test_a_retry_leaves_out_the_deadlines_that_have_passed(alice: Project, database: Database) -> None:
    path = alice.submit(start_by="2999-01-01T00:00:00Z", finish_by="2999-01-02T00:00:00Z").headers["location"]
    job_id = parse_id(IdKind.JOB, path.rpartition("/")[2])
    alice.post(f"{path}/cancel")
    assert alice.post(f"{path}/retry").json()["request"]["start_by"] == "2999-01-01T00:00:00Z"
    with database.transaction() as session:
        stored = session.get_one(JobRequestRow, job_id)
        stored.request = {**stored.request, "start_by": "2001-01-01T00:00:00Z"}
    request = alice.post(f"{path}/retry").json()["request"]
    assert "start_by" not in request
    assert request["finish_by"] == "2999-01-02T00:00:00Z"


def test_a_retry_whose_picture_has_expired_is_refused(alice: Project, database: Database) -> None:
    image = alice.upload(png()).json()["id"]
    path = alice.submit(task="edit", image=image).headers["location"]
    alice.post(f"{path}/cancel")
    with database.transaction() as session:
        session.execute(
            update(Image).where(Image.id == parse_id(IdKind.IMAGE, image)).values(deleted_at=time_after(0))
        )
    assert_problem(alice.post(f"{path}/retry"), ProblemCode.IMAGE_EXPIRED, "image")


def test_a_turn_of_a_session_is_not_retried_by_itself(alice: Project, database: Database) -> None:
    path = alice.submit().headers["location"]
    alice.post(f"{path}/cancel")
    with database.transaction() as session:
        tree = SessionRow(project_id=alice.project_id)
        session.add(tree)
        session.flush()
        job_id = parse_id(IdKind.JOB, path.rpartition("/")[2])
        session.add(Turn(session_id=tree.id, number=1, job_id=job_id))
    problem = assert_problem(alice.post(f"{path}/retry"), ProblemCode.JOB_IN_SESSION, "job_id")
    assert "/v1/sessions/ses_" in problem.detail


def test_the_job_of_another_project_is_not_found(alice: Project, bob: Project) -> None:
    path = alice.submit().headers["location"]
    alice.post(f"{path}/cancel")
    assert_problem(bob.post(f"{path}/retry"), ProblemCode.NOT_FOUND, "job_id")
