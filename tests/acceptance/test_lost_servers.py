"""PostgreSQL, the object storage or the tokenizer service stops while jobs run, and is started again."""

import signal
from uuid import UUID

from shared.jobs import JobState, Phase
from tests.support.platforms.evidence import assert_done_exactly_once, stored_objects
from tests.support.platforms.installation import SLOTS, Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually, noise

JOBS = 3 * SLOTS
LONG = {"size": "128x128"}


def all_are_done_once(platform: PlatformUnderTest, jobs: list[UUID]) -> None:
    """Check that each job succeeds, that its effects happened once, and that it has one stored picture."""
    for job_id in jobs:
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        assert_done_exactly_once(platform, job_id)
    assert len(stored_objects(platform.settings.storage, platform.project_id)) == len(jobs)


def waits_patiently(installation: Installation, job_id: UUID) -> bool:
    """Whether the worker has logged a retry for the job."""
    lines = installation.worker.lines_about(job_id)
    return any(line["message"] == "a server does not answer; trying again" for line in lines)


def test_jobs_survive_a_restart_of_postgres(installation: Installation, platform: PlatformUnderTest) -> None:
    jobs = [platform.ask(seed=seed, **LONG) for seed in range(JOBS)]
    platform.started_drawing(jobs[0])

    installation.server("postgres").process.stop()
    installation.return_postgres()

    all_are_done_once(platform, jobs)


def test_jobs_wait_for_the_storage(installation: Installation, platform: PlatformUnderTest) -> None:
    storage = installation.server("seaweedfs")
    storage.kill()
    jobs = [platform.ask(seed=seed) for seed in range(JOBS)]
    eventually(lambda: waits_patiently(installation, jobs[0]), "a put that is tried again")
    assert {platform.job(job_id).state for job_id in jobs} <= {JobState.QUEUED, JobState.RUNNING}
    storage.process.start()

    all_are_done_once(platform, jobs)


def test_a_tokenizer_that_dies_in_the_middle_of_a_picture_is_asked_again(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    tokenizer = installation.tokenizer
    tokenizer.send(signal.SIGSTOP)
    jobs = [platform.ask(seed=seed) for seed in range(SLOTS)]
    eventually(
        lambda: all(platform.job(job_id).phase == Phase.DECODING for job_id in jobs), "requests of pictures"
    )
    tokenizer.kill()
    eventually(lambda: waits_patiently(installation, jobs[0]), "a request that is sent again")
    tokenizer.start()

    all_are_done_once(platform, jobs)


def test_an_edit_waits_for_the_tokenizer_that_is_to_read_its_picture(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    picture = platform.upload(noise(1))
    installation.tokenizer.kill()
    job_id = platform.ask(task="edit", image=picture)
    eventually(lambda: waits_patiently(installation, job_id), "a request that is sent again")
    installation.tokenizer.start()

    assert platform.finished(job_id).state == JobState.SUCCEEDED
    assert_done_exactly_once(platform, job_id)
