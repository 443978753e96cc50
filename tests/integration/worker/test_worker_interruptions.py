"""What happens to a job when its worker is killed, frozen, told to leave, or told to stop the job."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from infra.local.process import ManagedProcess
from services.worker.token_checkpoint import TokenCheckpoint
from shared.job_store import expire_overdue_jobs, reap_expired_leases, request_cancel
from shared.job_store.clock import time_after
from shared.jobs import JobState
from shared.tables import Base, Checkpoint, Job, WorkerRow
from tests.integration.worker.platform import PlatformUnderTest, eventually
from tests.integration.worker.processes import environment_of, exited, gpu_worker, says

LONG = {"size": "256x256", "seed": 11}
"""1,024 codes: some seconds of drawing, in which something can happen."""
MOST_INTERRUPTIONS = 10


def undisturbed(platform: PlatformUnderTest) -> str:
    """Hash of the codes that the long job has when nothing happens to it."""
    with platform.working():
        job_id = platform.ask(**LONG)
        assert platform.finished(job_id).state == JobState.SUCCEEDED
    return platform.outputs(job_id)[0].grid.sha256()


def send(process: ManagedProcess, number: signal.Signals) -> None:
    """Signal the process."""
    assert process.pid is not None
    os.kill(process.pid, number)


def reap(platform: PlatformUnderTest) -> bool:
    """One round of the reaper; whether it took a job back."""
    with platform.database.transaction() as session:
        return bool(reap_expired_leases(session, MOST_INTERRUPTIONS))


def codes_of(checkpoint: bytes) -> int:
    """How many codes a checkpoint holds."""
    return sum(len(candidate.codes) for candidate in TokenCheckpoint.from_bytes(checkpoint).candidates)


def everything(platform: PlatformUnderTest) -> dict[str, list[str]]:
    """Every row of every table but the workers' own heartbeats."""
    with platform.database.transaction() as session:
        return {
            table.name: sorted(str(tuple(row)) for row in session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name != WorkerRow.__tablename__
        }


def test_after_kill_9_a_successor_goes_on_and_draws_the_very_same_codes(
    platform: PlatformUnderTest, tmp_path: Path
) -> None:
    expected = undisturbed(platform)
    with gpu_worker("victim", environment_of(platform.settings, platform.model), tmp_path) as victim:
        job_id = platform.ask(**LONG)
        saved = codes_of(platform.started_drawing(job_id))
        send(victim, signal.SIGKILL)
        exited(victim)
    eventually(lambda: reap(platform), "the end of the dead worker's lease")

    with platform.working():
        job = platform.finished(job_id)

    assert saved > 0
    assert (job.state, job.attempt, job.interruptions, job.failures) == (JobState.SUCCEEDED, 2, 1, 0)
    assert platform.outputs(job_id)[0].grid.sha256() == expected
    assert platform.events(job_id) == ["queued", "started", "interrupted", "started", "succeeded"]


def test_a_worker_frozen_beyond_its_lease_changes_nothing_when_it_wakes(
    platform: PlatformUnderTest, tmp_path: Path
) -> None:
    with gpu_worker("zombie", environment_of(platform.settings, platform.model), tmp_path) as zombie:
        job_id = platform.ask(**LONG)
        platform.started_drawing(job_id)
        send(zombie, signal.SIGSTOP)
        eventually(lambda: reap(platform), "the end of the frozen worker's lease")
        with platform.working():
            assert platform.finished(job_id).state == JobState.SUCCEEDED
        before = everything(platform)

        send(zombie, signal.SIGCONT)
        eventually(lambda: says(zombie, '"reason": "lost"'), "the zombie's discovery")

        assert everything(platform) == before
        assert platform.job(job_id).attempt == 2


def test_sigterm_hands_the_job_back_with_its_codes_and_leaves(
    platform: PlatformUnderTest, tmp_path: Path
) -> None:
    expected = undisturbed(platform)
    with gpu_worker("leaving", environment_of(platform.settings, platform.model), tmp_path) as leaving:
        job_id = platform.ask(**LONG)
        saved = codes_of(platform.started_drawing(job_id))
        send(leaving, signal.SIGTERM)
        assert exited(leaving) == 0

    job = platform.job(job_id)
    with platform.database.transaction() as session:
        checkpoint = session.get_one(Checkpoint, job_id)
        assert session.scalars(select(WorkerRow)).all() == []
    assert (job.state, job.interruptions, job.failures) == (JobState.QUEUED, 1, 0)
    assert codes_of(checkpoint.state) >= saved

    with platform.working():
        assert platform.finished(job_id).state == JobState.SUCCEEDED
    assert platform.outputs(job_id)[0].grid.sha256() == expected


def test_jobs_flow_while_the_broker_is_dead(platform: PlatformUnderTest, tmp_path: Path) -> None:
    environment = environment_of(platform.settings, platform.model)
    nowhere = "redis://127.0.0.1:1/0"
    job_id = platform.ask()
    with gpu_worker("deaf", environment | {"BROKER_URL": nowhere, "REDIS_URL": nowhere}, tmp_path) as deaf:
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        send(deaf, signal.SIGTERM)
        assert exited(deaf) == 0


def test_cancelling_stops_the_drawing_and_keeps_the_rows_that_are_done(platform: PlatformUnderTest) -> None:
    with platform.working():
        job_id = platform.ask(**LONG)

        def a_row_is_drawn() -> bool:
            return platform.job(job_id).tokens_done > 32

        eventually(a_row_is_drawn, "the first row")
        with platform.database.transaction() as session:
            request_cancel(session, platform.project_id, job_id)
        job = platform.finished(job_id)

    assert job.state == JobState.CANCELED
    [picture] = platform.outputs(job_id)
    assert picture.candidate.partial
    assert 0 < picture.grid.height < 32
    assert (picture.image.width, picture.image.height) == (256, picture.grid.height * 8)


def test_a_job_past_its_deadline_is_ended_under_the_worker(platform: PlatformUnderTest) -> None:
    with platform.working() as worker:
        job_id = platform.ask(**LONG, finish_by=datetime.now(UTC) + timedelta(hours=1))
        platform.started_drawing(job_id)
        with platform.database.transaction() as session:
            session.execute(update(Job).where(Job.id == job_id).values(finish_by=time_after(-1)))
        with platform.database.transaction() as session:
            expire_overdue_jobs(session)
        eventually(lambda: worker.is_idle, "the attempt's end")

    job = platform.job(job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, "deadline_exceeded")
    assert platform.outputs(job_id) == []
