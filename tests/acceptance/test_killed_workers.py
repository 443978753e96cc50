"""The worker is killed: no job is lost, no effect happens twice, and the pictures have the same bits."""

import json
import random
from collections.abc import Sequence
from functools import partial
from itertools import count
from uuid import UUID

import pytest
from sqlalchemy import select, text

from shared.jobs import FINAL_STATES, JobState
from shared.tables import Job
from tests.support.platforms.evidence import (
    assert_done_exactly_once,
    recorded_checkpoints,
    stored_objects,
    want_webhooks,
)
from tests.support.platforms.installation import SLOTS, Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

POINTS = 20
SIZE = "192x192"
FEWEST_CODES, MOST_CODES = 80, 620
"""Codes of all running jobs together between two kills; a picture has 576."""


class KilledJobs:
    """Jobs that keep all slots busy while their worker is killed repeatedly."""

    def __init__(self, platform: PlatformUnderTest) -> None:
        self._platform = platform
        self._seeds = count()
        self.jobs: dict[int, UUID] = {}

    def rows(self) -> Sequence[Job]:
        """The current rows of all jobs."""
        with self._platform.database.transaction() as session:
            return session.scalars(select(Job).where(Job.project_id == self._platform.project_id)).all()

    def have_drawn(self, codes: int) -> bool:
        """Submit a job for every free slot; return whether the database has recorded this many codes."""
        rows = self.rows()
        unfinished = sum(row.state not in FINAL_STATES for row in rows)
        for _ in range(SLOTS - unfinished):
            seed = next(self._seeds)
            self.jobs[seed] = self._platform.ask(seed=seed, size=SIZE)
        return sum(row.tokens_done for row in rows) >= codes

    def codes(self) -> int:
        """Number of codes recorded in the database."""
        return sum(row.tokens_done for row in self.rows())

    def interruptions(self) -> int:
        """Number of interruptions of all jobs."""
        return sum(row.interruptions for row in self.rows())


def drawn_codes(log: str) -> int:
    """Number of codes that the worker has drawn, from its log lines after each step."""
    lines = [line for line in log.splitlines() if line.startswith("{") and line.endswith("}")]
    return sum(line["codes"] for line in map(json.loads, lines) if line["message"] == "step")


@pytest.mark.long
def test_twenty_kills_at_random_points_of_pictures_change_nothing(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    want_webhooks(platform)
    points = random.Random(20)  # noqa: S311  (the same points every time)
    work = KilledJobs(platform)
    logs: list[str] = []
    with (
        recorded_checkpoints(platform.database, installation.owner_url) as history,
        installation.verbose_worker() as worker,
    ):
        while work.interruptions() < POINTS:
            target = work.codes() + points.randint(FEWEST_CODES, MOST_CODES)
            eventually(partial(work.have_drawn, target), f"{target} codes")
            worker.kill()
            logs.append(worker.log())
            worker.start()
        for job_id in work.jobs.values():
            platform.finished(job_id)
        logs.append(worker.log())
        intervals = [history.largest_interval(job_id) for job_id in work.jobs.values()]

    for job_id in work.jobs.values():
        assert_done_exactly_once(platform, job_id)
    assert len(stored_objects(platform.settings.storage, platform.project_id)) == len(work.jobs)

    twice = sum(map(drawn_codes, logs)) - work.codes()
    print(
        f"{len(logs) - 1} kills made {work.interruptions()} interruptions; "
        f"{twice} of {work.codes()} codes were drawn twice"
    )
    assert 0 <= twice <= work.interruptions() * max(intervals)

    undisturbed = installation.world("undisturbed")
    again = {seed: undisturbed.ask(seed=seed, size=SIZE) for seed in work.jobs}
    for seed, job_id in again.items():
        assert undisturbed.finished(job_id).state == JobState.SUCCEEDED
        [expected], [picture] = undisturbed.outputs(job_id), platform.outputs(work.jobs[seed])
        assert picture.grid == expected.grid
        assert picture.image.sha256 == expected.image.sha256


def test_a_worker_killed_between_storage_and_commit_leaves_one_picture(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    with platform.database.transaction() as session:
        session.execute(text("LOCK TABLE images IN EXCLUSIVE MODE"))
        job_id = platform.ask()
        stored = eventually(
            lambda: stored_objects(platform.settings.storage, platform.project_id), "a stored picture"
        )
        installation.worker.kill()
    installation.worker.start()

    assert platform.finished(job_id).state == JobState.SUCCEEDED
    assert_done_exactly_once(platform, job_id)
    assert platform.job(job_id).attempt > 1
    assert stored_objects(platform.settings.storage, platform.project_id) == stored
