"""Jobs whose worker drains while it draws, or has to stop them.

The acceptance tests cover killed and frozen workers, which are processes of their own.
"""

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from services.worker.job.token_checkpoint import TokenCheckpoint
from shared.job_store import expire_overdue_jobs, request_cancel
from shared.job_store.clock import time_after
from shared.jobs import JobState
from shared.settings import TokenizerAddress
from shared.tables import Checkpoint, Job, WorkerRow
from tests.support.platforms.platform import PlatformUnderTest, eventually, noise

LONG = {"size": "256x256", "seed": 11}
"""A job of 1,024 codes, which are drawn for some seconds."""


def codes_of(checkpoint: bytes) -> int:
    """Number of codes in a checkpoint."""
    return sum(len(candidate.codes) for candidate in TokenCheckpoint.from_bytes(checkpoint).candidates)


def test_a_draining_worker_hands_the_job_back_with_its_codes(platform: PlatformUnderTest) -> None:
    with platform.working():
        job_id = platform.ask(**LONG)
        saved = codes_of(platform.started_drawing(job_id))

    job = platform.job(job_id)
    with platform.database.transaction() as session:
        checkpoint = session.get_one(Checkpoint, job_id)
        assert session.scalars(select(WorkerRow).where(WorkerRow.left_at.is_(None))).all() == []
    assert (job.state, job.attempt, job.interruptions, job.failures) == (JobState.QUEUED, 1, 1, 0)
    assert codes_of(checkpoint.state) >= saved > 0


def test_cancelling_stops_the_drawing_and_keeps_the_rows_that_are_done(platform: PlatformUnderTest) -> None:
    with platform.working():
        job_id = platform.ask(**LONG)

        def a_row_is_drawn() -> bool:
            return platform.job(job_id).tokens_done > 32

        eventually(a_row_is_drawn, "the first row")
        with platform.database.transaction() as session:
            request_cancel(session, platform.project_id, job_id)
        job = platform.finished(job_id)

        [picture] = eventually(lambda: platform.outputs(job_id), "the partial picture")

    assert job.state == JobState.CANCELED
    assert picture.candidate.partial
    assert 0 < picture.grid.height < 32
    assert (picture.image.width, picture.image.height) == (256, picture.grid.height * 8)


def test_a_running_job_past_its_deadline_is_ended(platform: PlatformUnderTest) -> None:
    with platform.working() as worker:
        job_id = platform.ask(**LONG, n=4, finish_by=datetime.now(UTC) + timedelta(hours=1))
        platform.started_drawing(job_id)
        with platform.database.transaction() as session:
            session.execute(update(Job).where(Job.id == job_id).values(finish_by=time_after(-1)))
        with platform.database.transaction() as session:
            expire_overdue_jobs(session)
        eventually(lambda: worker.is_idle, "the attempt's end")

    job = platform.job(job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, "deadline_exceeded")
    assert platform.outputs(job_id) == []


def test_a_draining_worker_is_marked_while_it_waits_for_an_attempt_that_hangs(
    platform: PlatformUnderTest,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_tokenizer = TokenizerAddress(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        settings = platform.settings.model_copy(update={"tokenizer": silent_tokenizer})
        with replace(platform, settings=settings).working(drain_seconds=60) as worker:
            platform.ask(task="edit", image=platform.upload(noise(4)))
            connection, _ = silent.accept()
            worker.drain.request()
            [row] = eventually(lambda: draining(platform), "a draining worker")
            assert row.id == worker.id
            connection.close()


def draining(platform: PlatformUnderTest) -> list[WorkerRow]:
    """Rows of workers that drain."""
    with platform.database.transaction() as session:
        return list(session.scalars(select(WorkerRow).where(WorkerRow.draining)))
