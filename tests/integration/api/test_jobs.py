"""The states of a job as its client sees them."""

from datetime import datetime

import pytest
from sqlalchemy import select, update

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.ids import IdKind, format_id, parse_id
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import Progress, fail_job, save_progress, succeed_job
from shared.job_store.clock import time_after
from shared.jobs import JobState, Phase
from shared.tables import Job, JobEventRow, JobRequestRow, WebhookEndpoint, WorkerRow
from shared.tables import Project as ProjectRow
from tests.support.factories import must_claim, one_picture, queue_job, read_job
from tests.support.gateway.clients import Project, assert_problem


def test_a_posted_job_is_queued_and_says_where_to_look(alice: Project, database: Database) -> None:
    answer = alice.submit(n=2, seed=7, metadata={"order": "12"})
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"http://testserver/v1/jobs/{body['id']}" == body["links"]["self"]
    assert answer.headers["retry-after"] == "1"
    assert (body["object"], body["status"], body["attempt"], body["queue_position"]) == (
        "job",
        "queued",
        0,
        0,
    )
    assert (body["request"]["seed"], body["request"]["n"], body["metadata"]) == (7, 2, {"order": "12"})
    job = read_job(database, parse_id(IdKind.JOB, body["id"]))
    assert (job.state, job.queue, job.candidates, job.project_id) == (
        JobState.QUEUED,
        "generate",
        2,
        alice.project_id,
    )
    assert alice.get(answer.headers["location"]).json() == body


def test_a_seed_that_the_client_leaves_out_is_chosen_and_told(alice: Project) -> None:
    seeds = {alice.submit().json()["request"]["seed"] for _ in range(3)}
    assert len(seeds) == 3
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_words_that_the_model_does_not_know_give_a_warning(alice: Project, database: Database) -> None:
    assert alice.submit(prompt="a cat").json()["warnings"] == []
    with database.transaction() as session:
        model = {"name": "tiny", "knows": ["ball", "red"]}
        session.add(WorkerRow(id="a", queues=["generate"], slots=1, model=model))
    job = alice.submit(prompt="a red cat").json()
    message = "`cat` is unknown to this model; it knows: ball, red"
    warning = {"code": "unknown_words", "param": "prompt", "message": message, "words": ["cat"]}
    assert job["warnings"] == [warning]
    assert alice.get(f"/v1/jobs/{job['id']}").json()["warnings"] == [warning]
    assert alice.get("/v1/models").json()["data"][0]["knows"] == ["ball", "red"]
    with database.transaction() as session:
        job_id = parse_id(IdKind.JOB, job["id"])
        (event,) = session.scalars(select(JobEventRow).where(JobEventRow.job_id == job_id))
        assert event.data == {"warnings": [warning]}


def test_without_a_running_worker_the_last_one_s_words_count(alice: Project, database: Database) -> None:
    with database.transaction() as session:
        for name, age in (("first", -900.0), ("last", -600.0)):
            row = WorkerRow(id=name, queues=["generate"], slots=1, model={"name": name, "knows": [name]})
            row.heartbeat_at = session.scalars(select(time_after(age))).one()
            session.add(row)
    words = [warning["words"] for warning in alice.submit(prompt="first and last").json()["warnings"]]
    assert words == [["first"]]


def test_a_waiting_job_tells_how_many_of_its_project_stand_before_it(alice: Project, bob: Project) -> None:
    """Fixed bug: the job of another project was counted as well."""
    alice.submit()
    bob.submit()
    assert alice.submit().json()["queue_position"] == 1


def test_progress_has_an_estimate_once_there_is_a_speed(alice: Project, database: Database) -> None:
    job_id = alice.submit().json()["id"]
    claimed = must_claim(database)
    with database.transaction() as session:
        progress = Progress(Phase.GENERATING, 100, 300, 50.0, 46, 46, eta_seconds=400.0)
        save_progress(session, claimed.lease, progress)
    body = alice.get(f"/v1/jobs/{job_id}").json()
    assert (body["status"], body["attempt"]) == ("running", 1)
    assert 340 < body["progress"].pop("eta_seconds") <= 400
    assert body["progress"] == {
        "phase": "generating",
        "phase_fraction": 1 / 3,
        "tokens_done": 100,
        "tokens_total": 300,
        "tokens_per_second": 50.0,
        "prefill_rows_done": 46,
        "prefill_rows": 46,
        "eta_p50": None,
        "eta_p90": None,
        "worker_lost_seconds": None,
    }


def test_an_estimate_counts_down_between_two_words_of_the_worker(alice: Project, database: Database) -> None:
    """Fixed bug: the estimate did not change until the worker's next report."""
    job_id = alice.submit().json()["id"]
    lease = must_claim(database).lease
    with database.transaction() as session:
        save_progress(session, lease, Progress(Phase.GENERATING, 100, 300, eta_seconds=400.0))
        session.execute(update(Job).where(Job.id == lease.job_id).values(progress_at=time_after(-150)))
    assert 190 < alice.get(f"/v1/jobs/{job_id}").json()["progress"]["eta_seconds"] <= 250


def test_a_phase_that_a_newer_worker_wrote_is_left_out(alice: Project, database: Database) -> None:
    job_id = alice.submit().json()["id"]
    lease = must_claim(database).lease
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == lease.job_id).values(phase="upscaling"))
    answer = alice.get(f"/v1/jobs/{job_id}")
    assert (answer.status_code, answer.json()["progress"]["phase"]) == (200, None)


def test_a_silent_worker_is_said_to_be_lost_and_how_long_its_lease_runs(
    alice: Project, database: Database
) -> None:
    """Fixed bug: the old estimate was shown instead of the rest of the lost worker's lease."""
    job_id = alice.submit().json()["id"]
    lease = must_claim(database).lease
    with database.transaction() as session:
        save_progress(session, lease, Progress(Phase.GENERATING, 100, 300, eta_seconds=400.0))
        silent = {"heartbeat_at": time_after(-40), "lease_expires_at": time_after(20)}
        session.execute(update(Job).where(Job.id == lease.job_id).values(silent))
    progress = alice.get(f"/v1/jobs/{job_id}").json()["progress"]
    assert (progress["phase"], progress["eta_seconds"]) == ("worker_lost", None)
    assert 0 < progress["worker_lost_seconds"] <= 20


def test_a_finished_job_shows_its_pictures_and_what_they_cost(alice: Project, database: Database) -> None:
    job_id = alice.submit().json()["id"]
    claimed = must_claim(database)
    picture = one_picture()
    with database.transaction() as session:
        succeed_job(session, claimed.lease, picture)
    answer = alice.get(f"/v1/jobs/{job_id}")
    body = answer.json()
    (output,) = body["outputs"]
    assert "retry-after" not in answer.headers
    assert (body["status"], body["error"], body["progress"]["eta_seconds"]) == ("succeeded", None, None)
    assert output["url"] == f"http://testserver/v1/images/{output['id']}/content"
    assert output["tokens_sha256"] == picture.outputs[0].grid.sha256()
    assert (output["index"], output["score"], output["width"], output["height"]) == (0, 1.5, 16, 16)
    assert body["usage"] == {"images": 1, "prompt_tokens": 5, "tokens_done": 4, "compute_seconds": 0.5}
    assert datetime.fromisoformat(body["created_at"]) <= datetime.fromisoformat(body["finished_at"])


def test_a_failed_job_says_why_and_whether_to_try_again(alice: Project, database: Database) -> None:
    job_id = alice.submit().json()["id"]
    claimed = must_claim(database)
    with database.transaction() as session:
        fail_job(session, claimed.lease, JobError(JobErrorCode.IMAGE_UNREADABLE, "The picture ends early."))
    error = alice.get(f"/v1/jobs/{job_id}").json()["error"]
    assert (error["code"], error["message"], error["retryable"]) == (
        "image_unreadable",
        "The picture ends early.",
        False,
    )


def test_an_unchanged_job_is_answered_with_304(alice: Project, database: Database) -> None:
    path = alice.submit().headers["location"]
    tag = alice.get(path).headers["etag"]
    same = alice.get(path, {"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    must_claim(database)
    changed = alice.get(path, {"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    "job_id", [format_id(IdKind.JOB, parse_id(IdKind.JOB, "job_" + "0" * 26)), "nonsense"]
)
def test_a_job_that_does_not_exist_is_not_found(alice: Project, job_id: str) -> None:
    assert_problem(alice.get(f"/v1/jobs/{job_id}"), ProblemCode.NOT_FOUND)
    assert_problem(alice.post(f"/v1/jobs/{job_id}/cancel"), ProblemCode.NOT_FOUND)


def test_canceling_is_the_same_however_often_it_is_asked(alice: Project, database: Database) -> None:
    path = alice.submit().headers["location"]
    first = alice.post(f"{path}/cancel")
    assert (first.status_code, first.json()["status"]) == (200, "canceled")
    assert alice.post(f"{path}/cancel").json() == first.json()

    running = alice.submit().headers["location"]
    claimed = must_claim(database)
    assert alice.post(f"{running}/cancel").json()["status"] == "canceling"
    assert alice.post(f"{running}/cancel").json()["status"] == "canceling"
    with database.transaction() as session:
        succeed_job(session, claimed.lease, one_picture())
    ended = alice.post(f"{running}/cancel")
    assert (ended.status_code, ended.json()["status"]) == (200, "succeeded")


def test_a_list_goes_from_new_to_old_in_pages_without_gaps(alice: Project, database: Database) -> None:
    queued = [format_id(IdKind.JOB, queue_job(database, alice.project_id)) for _ in range(5)]
    seen: list[str] = []
    parameters = {"limit": "2"}
    while True:
        page = alice.get("/v1/jobs", params=parameters).json()
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        parameters["after"] = page["next_cursor"]
    assert seen == queued[::-1]
    assert page["next_cursor"] is None


def test_a_list_can_be_narrowed_by_state_and_task(alice: Project) -> None:
    canceled = alice.submit().json()["id"]
    alice.post(f"/v1/jobs/{canceled}/cancel")
    pair = alice.submit(task="image_pair", target="depth").json()["id"]
    plain = alice.submit().json()["id"]

    def listed(query: str) -> list[str]:
        return [job["id"] for job in alice.get(f"/v1/jobs?{query}").json()["data"]]

    assert listed("status=canceled") == [canceled]
    assert listed("status=queued&status=canceled") == [plain, pair, canceled]
    assert listed("status=queued&task=image_pair") == [pair]
    assert listed("status=failed") == []


@pytest.mark.parametrize(
    ("query", "param"),
    [("status=done", "status.0"), ("limit=0", "limit"), ("limit=101", "limit"), ("after=job_x", "after")],
)
def test_a_list_refuses_what_it_does_not_know(alice: Project, query: str, param: str) -> None:
    assert_problem(alice.get(f"/v1/jobs?{query}"), ProblemCode.INVALID_REQUEST, param)


def test_a_webhook_of_a_job_is_stored_with_the_secret_of_the_project(
    alice: Project, database: Database
) -> None:
    body = alice.submit(webhook={"url": "https://example.org/hook", "events": ["job.failed"]}).json()
    with database.transaction() as session:
        endpoint = session.query(WebhookEndpoint).one()
        stored = session.get_one(JobRequestRow, parse_id(IdKind.JOB, body["id"]))
    assert endpoint.job_id == stored.job_id
    assert (endpoint.url, endpoint.event_types) == ("https://example.org/hook", ["job.failed"])
    assert stored.request["webhook"]["url"] == endpoint.url


def test_a_project_at_its_limit_of_waiting_jobs_is_told_to_wait(alice: Project, database: Database) -> None:
    with database.transaction() as session:
        session.get_one(ProjectRow, alice.project_id).max_queued_jobs = 1
    path = alice.submit().headers["location"]
    refused = alice.submit()
    assert_problem(refused, ProblemCode.TOO_MANY_QUEUED_JOBS)
    assert int(refused.headers["retry-after"]) > 0
    alice.post(f"{path}/cancel")
    assert alice.submit().status_code == 202


def test_a_job_that_was_refused_leaves_no_row(alice: Project, database: Database) -> None:
    assert_problem(alice.submit(n=99), ProblemCode.INVALID_REQUEST, "n")
    with database.transaction() as session:
        assert session.query(Job).count() == 0
