"""A worker that freezes beyond its lease, and one that is told to leave: the other one goes on."""

import signal
from collections.abc import Iterator
from uuid import UUID

import pytest

from shared.jobs import JobState
from shared.tables import Checkpoint, Job
from tests.acceptance.evidence import (
    assert_done_exactly_once,
    codes_of,
    every_row,
    execute,
    stored_objects,
)
from tests.acceptance.installation import SLOTS, Installation
from tests.integration.worker.platform import PlatformUnderTest, eventually

LONG = {"size": "256x256"}
"""1,024 codes: some seconds of drawing, in which something can happen."""
DRAIN_SECONDS = 10.0
"""What the shortest notice of a spot machine leaves for checkpoints, after all else."""


@pytest.fixture(scope="module")
def reference(installation: Installation) -> dict[int, tuple[str, bytes]]:
    """Seed to hashes of codes and file, of jobs to which nothing happened."""
    platform = installation.world("undisturbed")
    jobs = {seed: platform.ask(seed=seed, **LONG) for seed in range(SLOTS)}
    return {seed: hashes(platform, job_id) for seed, job_id in jobs.items()}


def hashes(platform: PlatformUnderTest, job_id: UUID) -> tuple[str, bytes]:
    """Hashes of codes and file of the job's picture, once it is there."""
    assert platform.finished(job_id).state == JobState.SUCCEEDED
    [picture] = platform.outputs(job_id)
    return picture.grid.sha256(), picture.image.sha256


@pytest.fixture(scope="module")
def second_worker(installation: Installation, reference: object) -> Iterator[None]:
    """A second worker for the tests of this file."""
    with installation.two_workers():
        yield


def started_on(platform: PlatformUnderTest, job_id: UUID) -> str:
    """The worker that has begun to draw the job."""
    platform.started_drawing(job_id)
    owner = platform.job(job_id).lease_owner
    assert owner is not None
    return owner


def finds_its_lease_lost(installation: Installation, job_id: UUID) -> bool:
    """Whether the first worker's attempt at the job has ended without a write."""
    lines = installation.worker.lines_about(job_id)
    return any(line.get("reason") == "lost" or "lease was lost" in line["message"] for line in lines)


@pytest.mark.usefixtures("second_worker")
def test_a_worker_frozen_beyond_its_lease_changes_neither_database_nor_bucket_when_it_wakes(
    installation: Installation, platform: PlatformUnderTest, reference: dict[int, tuple[str, bytes]]
) -> None:
    worker = installation.worker
    with installation.second_worker.frozen():
        job_id = platform.ask(seed=0, **LONG)
        platform.started_drawing(job_id)
        worker.send(signal.SIGSTOP)
    try:
        assert hashes(platform, job_id) == reference[0]
        assert_done_exactly_once(platform, job_id)
        assert platform.job(job_id).attempt > 1
        rows = every_row(platform.database)
        objects = stored_objects(platform.settings.storage, platform.project_id)
    finally:
        worker.send(signal.SIGCONT)

    eventually(lambda: finds_its_lease_lost(installation, job_id), "the discovery that the lease is lost")
    assert every_row(platform.database) == rows
    assert stored_objects(platform.settings.storage, platform.project_id) == objects


@pytest.mark.usefixtures("second_worker")
def test_a_worker_frozen_while_it_waits_for_its_picture_changes_nothing_when_it_wakes(
    installation: Installation, platform: PlatformUnderTest, reference: dict[int, tuple[str, bytes]]
) -> None:
    worker, tokenizer = installation.worker, installation.tokenizer
    with installation.second_worker.frozen():
        tokenizer.send(signal.SIGSTOP)
        job_id = platform.ask(seed=0, **LONG)
        eventually(lambda: platform.job(job_id).phase == "decoding", "the request of the picture")
        worker.send(signal.SIGSTOP)
        tokenizer.send(signal.SIGCONT)
    try:
        assert hashes(platform, job_id) == reference[0]
        rows = every_row(platform.database)
        objects = stored_objects(platform.settings.storage, platform.project_id)
    finally:
        worker.send(signal.SIGCONT)

    eventually(lambda: finds_its_lease_lost(installation, job_id), "the discovery that the lease is lost")
    assert every_row(platform.database) == rows
    assert stored_objects(platform.settings.storage, platform.project_id) == objects
    assert len(objects) == 1


BREAK_HEARTBEATS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'an error that nobody foresaw' USING ERRCODE = '42501'; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON workers FOR EACH ROW EXECUTE FUNCTION refuse();
"""
MEND_HEARTBEATS = "DROP TRIGGER refuse ON workers; DROP FUNCTION refuse;"


@pytest.mark.usefixtures("second_worker")
def test_a_worker_whose_heart_fails_leaves_in_order_and_does_not_live_on_without_it(
    installation: Installation, platform: PlatformUnderTest, reference: dict[int, tuple[str, bytes]]
) -> None:
    worker = installation.worker
    with installation.second_worker.frozen():
        job_id = platform.ask(seed=0, **LONG)
        platform.started_drawing(job_id)
        execute(platform.database, BREAK_HEARTBEATS)
        worker.exited(DRAIN_SECONDS)
        execute(platform.database, MEND_HEARTBEATS)
    assert "a thread has died" in worker.log()
    worker.start()

    assert hashes(platform, job_id) == reference[0]
    assert_done_exactly_once(platform, job_id)


@pytest.mark.usefixtures("second_worker")
def test_sigterm_with_four_running_jobs_is_obeyed_in_ten_seconds_and_the_jobs_go_on_elsewhere(
    installation: Installation, platform: PlatformUnderTest, reference: dict[int, tuple[str, bytes]]
) -> None:
    def checkpoint(job_id: UUID) -> tuple[JobState, int]:
        with platform.database.transaction() as session:
            row, state = session.get_one(Job, job_id), session.get_one(Checkpoint, job_id).state
            return JobState(row.state), codes_of(state)

    with installation.second_worker.frozen():
        jobs = {seed: platform.ask(seed=seed, **LONG) for seed in range(SLOTS)}
        saved = {job_id: codes_of(platform.started_drawing(job_id)) for job_id in jobs.values()}
        installation.worker.send(signal.SIGTERM)
        assert installation.worker.exited(DRAIN_SECONDS) == 0
        for job_id, codes in saved.items():
            state, kept = checkpoint(job_id)
            assert state == JobState.QUEUED
            assert kept >= codes > 0

    for seed, job_id in jobs.items():
        assert hashes(platform, job_id) == reference[seed]
        assert_done_exactly_once(platform, job_id)
        assert platform.job(job_id).attempt > 1
