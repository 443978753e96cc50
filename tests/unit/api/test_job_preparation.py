"""The gateway completes seeds and deadlines of requests, and refuses deadlines out of range."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.api.jobs.prepare import choose_seed, complete_request, new_job
from services.api.problems.codes import Problem
from shared.jobs import Priority, Queue
from shared.noise_keys import WATERMARK_SEEDS
from shared.schemas.jobs import JobRequest


def request_with(**fields: object) -> JobRequest:
    return JobRequest.model_validate({"prompt": "a red circle", **fields})


def test_a_given_seed_is_kept_and_a_missing_one_is_filled_in() -> None:
    assert complete_request(request_with(seed=0), seed=5).seed == 0
    assert complete_request(request_with(), seed=5).seed == 5


def test_chosen_seeds_can_all_be_tried_where_the_noise_has_a_secret() -> None:
    secret = ["1 secret 0123456789abcdef", 1, None]
    assert max(choose_seed(secret) for _ in range(100)) < WATERMARK_SEEDS
    assert max(choose_seed([1, None]) for _ in range(100)) >= WATERMARK_SEEDS


def test_deadlines_are_told_in_utc() -> None:
    completed = complete_request(request_with(start_by="2030-01-01T02:00:00+02:00"), seed=1)
    assert completed.start_by == datetime(2030, 1, 1, tzinfo=UTC)
    assert str(completed.start_by).endswith("+00:00")


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_a_deadline_that_leaves_the_calendar_is_refused(time: str) -> None:
    with pytest.raises(Problem) as refused:
        complete_request(request_with(finish_by=time), seed=1)
    assert refused.value.param == "finish_by"


def test_a_new_job_carries_what_the_claim_needs() -> None:
    request = complete_request(
        request_with(task="image_pair", target="depth", n=3, priority="low", seed=9), seed=1
    )
    job = new_job(UUID(int=1), request, max_failures=4)
    assert (job.queue, job.priority, job.candidates, job.max_failures) == (
        Queue.GENERATE,
        Priority.LOW,
        3,
        4,
    )
    assert JobRequest.model_validate(job.request) == request
