"""A worker is frozen for longer than its lease, or stops: another worker continues the jobs."""

import signal
from collections.abc import Iterator
from uuid import UUID

import pytest

from shared.jobs import JobState, Phase
from shared.tables import Checkpoint, Job
from tests.support.platforms.evidence import (
    assert_done_exactly_once,
    codes_of,
    every_row,
    execute,
    stored_objects,
)
from tests.support.platforms.installation import SLOTS, Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

LONG = {"size": "256x256"}
"""1,024 codes: drawing takes some seconds, long enough for a fault."""
DRAIN_SECONDS = 10.0
"""Time for saving checkpoints within the shortest termination notice of a spot machine."""


@pytest.fixture(scope="module")
def reference(installation: Installation) -> dict[int, tuple[str, bytes]]:
    """By seed: hashes of codes and file of a job without faults."""
    platform = installation.world("undisturbed")
    jobs = {seed: platform.ask(seed=seed, **LONG) for seed in range(SLOTS)}
    return {seed: hashes(platform, job_id) for seed, job_id in jobs.items()}


def hashes(platform: PlatformUnderTest, job_id: UUID) -> tuple[str, bytes]:
    """Wait until the job has succeeded; return the hashes of its picture's codes and file."""
    assert platform.finished(job_id).state == JobState.SUCCEEDED
    [picture] = platform.outputs(job_id)
    return picture.grid.sha256(), picture.image.sha256


@pytest.fixture(scope="module")
def second_worker(installation: Installation, reference: object) -> Iterator[None]:
    """A second worker during the tests of this module."""
    with installation.two_workers():
        yield


def started_on(platform: PlatformUnderTest, job_id: UUID) -> str:
    """Wait until the job is being drawn; return its worker."""
    platform.started_drawing(job_id)
    owner = platform.job(job_id).lease_owner
    assert owner is not None
    return owner


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

    eventually(lambda: worker.found_its_lease_lost(job_id), "the discovery that the lease is lost")
    assert every_row(platform.database) == rows
    assert stored_objects(platform.settings.storage, platform.project_id) == objects


@pytest.mark.long
@pytest.mark.usefixtures("second_worker")
def test_a_worker_frozen_while_it_waits_for_its_picture_changes_nothing_when_it_wakes(
    installation: Installation, platform: PlatformUnderTest, reference: dict[int, tuple[str, bytes]]
) -> None:
    worker, tokenizer = installation.worker, installation.tokenizer
    with installation.second_worker.frozen():
        tokenizer.send(signal.SIGSTOP)
        job_id = platform.ask(seed=0, **LONG)
        eventually(lambda: platform.job(job_id).phase == Phase.DECODING, "the request of the picture")
        worker.send(signal.SIGSTOP)
        tokenizer.send(signal.SIGCONT)
    try:
        assert hashes(platform, job_id) == reference[0]
        rows = every_row(platform.database)
        objects = stored_objects(platform.settings.storage, platform.project_id)
    finally:
        worker.send(signal.SIGCONT)

    eventually(lambda: worker.found_its_lease_lost(job_id), "the discovery that the lease is lost")
    assert every_row(platform.database) == rows
    assert stored_objects(platform.settings.storage, platform.project_id) == objects
    assert len(objects) == 1


BREAK_HEARTBEATS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'an unexpected error' USING ERRCODE = '42501'; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OF heartbeat_at ON workers
    FOR EACH ROW EXECUTE FUNCTION refuse();
"""
RESTORE_HEARTBEATS = "DROP TRIGGER refuse ON workers; DROP FUNCTION refuse;"


@pytest.mark.long
@pytest.mark.usefixtures("second_worker")
def test_a_worker_whose_heartbeats_fail_drains_and_exits(
    installation: Installation, platform: PlatformUnderTest, reference: dict[int, tuple[str, bytes]]
) -> None:
    worker = installation.worker
    with installation.second_worker.frozen():
        job_id = platform.ask(seed=0, **LONG)
        platform.started_drawing(job_id)
        execute(installation.owner_url, BREAK_HEARTBEATS)
        worker.exited(DRAIN_SECONDS)
        execute(installation.owner_url, RESTORE_HEARTBEATS)
    assert "a thread has died" in worker.log()
    worker.start()

    assert hashes(platform, job_id) == reference[0]
    assert_done_exactly_once(platform, job_id)


@pytest.mark.long
@pytest.mark.usefixtures("second_worker")
def test_a_worker_with_four_running_jobs_exits_ten_seconds_after_sigterm_and_another_continues_them(
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
