"""Estimates of open jobs: from the line before them, corrected by past errors, and scored."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from benchmarks.eta import Past, pinball, read_past, report, score
from services.worker.maintenance.estimates import Estimates, unmeasured_pace
from services.worker.maintenance.rows import DatabaseRows
from shared.database import Database
from shared.job_store import save_progress, succeed_job
from shared.job_store.estimates import FEWEST, PRIORS, learned_quantiles
from shared.job_store.records import Progress
from shared.job_view.read import read_details
from shared.job_view.view import view_progress
from shared.jobs import JobState, Phase
from shared.schemas.job_response import JobProgress
from shared.settings import RetentionSettings
from shared.tables import Job, JobEstimate, JobRequestRow, Search, WorkerRow
from tests.support.factories import make_project, must_claim, one_picture, queue_job

TOKENS = 64
"""Codes of a picture of 64x64 pixels."""


@pytest.fixture(autouse=True)
def worker(database: Database) -> None:
    """A worker with one slot that draws ten codes a second."""
    model = {"name": "tiny", "tokens_per_second": 10.0, "default_size": "64x64"}
    with database.transaction() as session:
        session.add(WorkerRow(id="worker-1", queues=["generate"], slots=1, model=model, numerics="n1"))


def estimate(database: Database) -> None:
    """One round of an io worker, though the last one was just done."""
    with database.transaction() as session:
        session.execute(update(Search).values(due_at=func.clock_timestamp()))
    Estimates(database, 60.0).update()


def shown(database: Database, job_id: UUID) -> JobProgress:
    """The progress that the API shows."""
    with database.transaction() as session:
        rows = read_details(session, session.get_one(Job, job_id))
    return view_progress(rows.job, rows.now, rows.estimate)


def test_a_waiting_job_shows_the_time_of_the_line_before_it(database: Database, project_id: UUID) -> None:
    first, second = queue_job(database, project_id), queue_job(database, project_id)
    assert shown(database, first).eta_p50 is None
    estimate(database)
    for place, job_id in ((1, first), (2, second)):
        progress = shown(database, job_id)
        assert progress.eta_p50 is not None
        assert progress.eta_p90 is not None
        expected = place * TOKENS / 10
        assert 0.5 * expected < progress.eta_p50 <= 1.05 * expected
        assert progress.eta_p90 > progress.eta_p50
        assert progress.eta_seconds is None


@pytest.mark.parametrize(("slots", "seconds"), [(1, 0.1), (2, 0.1), (4, 0.2)])
def test_busy_slots_share_a_worker_whose_jobs_are_not_measured_yet(slots: int, seconds: float) -> None:
    row = WorkerRow(slots=slots, model={"tokens_per_second": 10.0})
    assert unmeasured_pace(row) == pytest.approx(seconds)


def test_how_many_jobs_another_project_has_does_not_show(database: Database, project_id: UUID) -> None:
    _, mine = queue_job(database, project_id), queue_job(database, project_id)
    estimate(database)
    alone = shown(database, mine).eta_p50
    other = make_project(database, "other")
    queue_job(database, other)
    estimate(database)
    beside_one = shown(database, mine).eta_p50
    for _ in range(20):
        queue_job(database, other)
    estimate(database)
    beside_many = shown(database, mine).eta_p50
    assert alone is not None
    assert beside_one is not None
    assert beside_one > 1.2 * alone, "projects take turns"
    assert beside_many is not None
    assert beside_many < 1.2 * beside_one


def test_candidates_size_and_progress_count(database: Database, project_id: UUID) -> None:
    job_id = queue_job(database, project_id, candidates=2)
    with database.transaction() as session:
        request = {"task": "text_to_image", "prompt": "x", "size": "128x64", "best_of": 4}
        session.execute(update(JobRequestRow).values(request=request))
    estimate(database)
    with database.transaction() as session:
        row = session.get_one(JobEstimate, job_id)
    assert row.waiting_base == pytest.approx(4 * 2 * TOKENS / 10)

    claimed = must_claim(database)
    with database.transaction() as session:
        save_progress(session, claimed.lease, Progress(Phase.GENERATING, 100, 512, eta_seconds=300.0))
    estimate(database)
    with database.transaction() as session:
        row = session.get_one(JobEstimate, job_id)
    assert row.waiting_base == pytest.approx(4 * 2 * TOKENS / 10), "the first estimate stays"
    assert row.running_base == pytest.approx(300.0, abs=60)
    progress = shown(database, job_id)
    assert progress.eta_p50 is not None
    assert 200 < progress.eta_p50 <= 300
    with database.transaction() as session:
        succeed_job(session, claimed.lease, one_picture())
    ended = shown(database, job_id)
    assert (ended.eta_p50, ended.eta_p90) == (None, None)


def past_job(database: Database, project_id: UUID, base: float, real: float) -> None:
    """A job that was to take `base` seconds, and took `real` ones."""
    job_id = queue_job(database, project_id)
    claimed = must_claim(database)
    with database.transaction() as session:
        succeed_job(session, claimed.lease, one_picture())
        now = session.scalars(select(func.clock_timestamp())).one()
        begun = now - timedelta(seconds=real)
        session.execute(update(Job).where(Job.id == job_id).values(finished_at=now))
        session.add(
            JobEstimate(
                job_id=job_id,
                done_p50=begun,
                done_p90=begun,
                created_at=begun,
                waiting_base=base,
                waiting_p50=base,
                waiting_p90=2 * base,
            )
        )


def test_estimates_are_corrected_by_the_errors_of_past_ones_and_scored(
    database: Database, project_id: UUID
) -> None:
    with database.transaction() as session:
        assert learned_quantiles(session) == PRIORS
    for number in range(FEWEST + 1):
        past_job(database, project_id, base=10.0, real=30.0 + number)
    with database.transaction() as session:
        learned = learned_quantiles(session)[JobState.QUEUED]
        past = read_past(session, JobState.QUEUED, 1.0)
        assert learned_quantiles(session)[JobState.RUNNING] == PRIORS[JobState.RUNNING]
    assert (learned.p50, learned.p90) == (pytest.approx(4.0), pytest.approx(4.8))
    assert len(past) == FEWEST + 1
    assert score(50, past).coverage == 0.0
    assert score(50, past).pinball == pytest.approx(0.5 * 30.0)


def test_the_check_fails_when_estimates_do_not_hold_and_passes_when_they_do() -> None:
    real = [float(number) for number in range(1, 101)]
    good = [Past(50.0, 90.0, seconds) for seconds in real]
    short = [Past(5.0, 9.0, seconds) for seconds in real]
    assert report(JobState.QUEUED, good)[1]
    assert not report(JobState.QUEUED, short)[1]
    assert report(JobState.QUEUED, short[:10])[1], "too few to judge"
    assert score(90, good).coverage == pytest.approx(0.9)
    assert score(90, good).pinball == pytest.approx(score(90, good).best_constant, rel=0.05)
    assert (pinball(90, 10.0, 20.0), pinball(90, 20.0, 10.0)) == (pytest.approx(9.0), pytest.approx(1.0))


def test_old_estimates_are_removed_and_those_of_open_jobs_stay(database: Database, project_id: UUID) -> None:
    open_job = queue_job(database, project_id)
    estimate(database)
    with database.transaction() as session:
        session.execute(update(JobEstimate).values(created_at=func.clock_timestamp() - timedelta(days=31)))
        session.add(
            JobEstimate(
                job_id=UUID(int=1),
                done_p50=func.clock_timestamp(),
                done_p90=func.clock_timestamp() + timedelta(seconds=1),
                created_at=func.clock_timestamp() - timedelta(days=31),
            )
        )
    DatabaseRows(database, RetentionSettings()).remove_old_rows(60.0)
    with database.transaction() as session:
        assert list(session.scalars(select(JobEstimate.job_id))) == [open_job]
