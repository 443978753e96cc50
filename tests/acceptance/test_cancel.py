"""Canceling: a running job keeps its drawn rows, a waiting job never starts, a second cancel does nothing."""

from uuid import UUID

from shared.job_store import request_cancel
from shared.jobs import JobState, Phase
from shared.tables import UsageRecord
from tests.support.platforms.installation import SLOTS, Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

LONG = {"size": "256x256"}
COLUMNS = 32


def cancel(platform: PlatformUnderTest, job_id: UUID) -> JobState:
    """Cancel the job in the way of the gateway; return its state."""
    with platform.database.transaction() as session:
        job = request_cancel(session, platform.project_id, job_id)
        assert job is not None
        return JobState(job.state)


def test_a_canceled_job_keeps_its_rows_and_its_slot_goes_to_the_next(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    jobs = [platform.ask(seed=seed, **LONG) for seed in range(SLOTS)]
    for job_id in jobs:
        eventually(lambda: platform.job(job_id).tokens_done > COLUMNS, "a row")  # noqa: B023  (called now)
    waiting, never = platform.ask(), platform.ask()

    assert cancel(platform, never) == JobState.CANCELED
    assert cancel(platform, jobs[0]) == JobState.CANCELING
    assert cancel(platform, jobs[0]) in {JobState.CANCELING, JobState.CANCELED}
    canceled = platform.finished(jobs[0])
    assert platform.finished(waiting).state == JobState.SUCCEEDED
    assert cancel(platform, jobs[0]) == cancel(platform, never) == JobState.CANCELED

    assert platform.events(jobs[0]) == ["queued", "started", "canceling", "canceled"]
    [picture] = eventually(lambda: platform.outputs(jobs[0]), "the partial picture")
    assert picture.candidate.partial
    assert 0 < picture.grid.height < COLUMNS
    with platform.database.transaction() as session:
        usage = session.get_one(UsageRecord, jobs[0])
        assert COLUMNS < usage.tokens_done < canceled.tokens_total

    for job_id in jobs[1:]:
        assert platform.finished(job_id).state == JobState.SUCCEEDED
    assert (platform.events(never), platform.job(never).attempt) == (["queued", "canceled"], 0)


def test_a_job_that_waits_for_a_dead_tokenizer_can_be_canceled(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    installation.tokenizer.kill()
    job_id = platform.ask()
    eventually(lambda: platform.job(job_id).phase == Phase.DECODING, "the request of the picture")
    cancel(platform, job_id)

    assert platform.finished(job_id).state == JobState.CANCELED
    assert platform.outputs(job_id) == []
