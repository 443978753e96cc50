"""The forecast plays the order of claims: priority, projects in turn, age; slot by slot."""

from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.maintenance.forecast import LiveWorker, OpenJob, forecast
from shared.job_store.records import Share

ALICE, BOB = UUID(int=1), UUID(int=2)
NUMBERS = count(100)
GENERATE = frozenset({"generate"})


def worker(slots: int = 1, seconds_per_token: float = 1.0, **more: Any) -> LiveWorker:
    facts = {"id": "w", "queues": GENERATE, "model": "tiny"} | more
    return LiveWorker(slots=slots, seconds_per_token=seconds_per_token, **facts)


def job(project: UUID = ALICE, tokens: int = 10, **more: Any) -> OpenJob:
    """A waiting job; later ones have larger ids."""
    facts = {"queue": "generate", "task": "text_to_image", "priority": 0, "model": None} | more
    return OpenJob(UUID(int=next(NUMBERS)), project, tokens=tokens, **facts)


def ends(workers: list[LiveWorker], jobs: list[OpenJob]) -> list[float | None]:
    done = forecast(workers, jobs)
    return [done.get(one.id) for one in jobs]


def test_jobs_of_one_project_follow_each_other() -> None:
    assert ends([worker()], [job(tokens=10), job(tokens=20), job(tokens=5)]) == [10, 30, 35]


def test_slots_share_the_line_and_a_running_job_occupies_one() -> None:
    running = job(worker="w", seconds_left=3.0)
    assert ends([worker(slots=2)], [running, job(), job(), job()]) == [3, 10, 13, 20]


def test_a_running_job_without_an_estimate_takes_what_its_codes_take() -> None:
    assert ends([worker(seconds_per_token=0.5)], [job(tokens=8, worker="w")]) == [4]


def test_a_job_of_a_lost_worker_waits_again() -> None:
    assert ends([worker()], [job(tokens=4, worker="gone", seconds_left=1.0)]) == [4]


def test_projects_take_turns_however_many_jobs_one_of_them_has() -> None:
    line = [job(ALICE) for _ in range(5)] + [job(BOB)]
    assert ends([worker()], line)[-1] == 20


def test_a_project_of_weight_two_has_two_jobs_in_a_row() -> None:
    line = [job(ALICE) for _ in range(3)] + [job(BOB) for _ in range(2)]
    done = forecast([worker()], line, {BOB: Share(weight=2)})
    assert [done[one.id] for one in line] == [10, 40, 50, 20, 30]


def test_a_project_at_its_limit_of_running_jobs_leaves_a_slot_to_others() -> None:
    line = [job(ALICE), job(ALICE), job(BOB)]
    done = forecast([worker(slots=2)], line, {ALICE: Share(max_running_jobs=1)})
    assert [done[one.id] for one in line] == [10, 20, 10]


def test_low_priority_waits_for_all_normal_jobs() -> None:
    low = job(priority=10)
    assert ends([worker()], [low, job(), job(BOB)]) == [30, 10, 20]


def test_only_workers_of_the_queue_and_model_count() -> None:
    dense, other, gone = job(queue="dense"), job(model="large"), job(model="nobody's")
    workers = [worker(), worker(id="l", model="large", seconds_per_token=0.1)]
    assert ends(workers, [dense, other, gone]) == [None, 1, None]


def test_the_speed_of_a_task_is_that_of_its_own_jobs() -> None:
    assert ends([worker(by_task={"edit": 0.1})], [job(task="edit"), job()]) == [1, 11]


def test_a_job_that_waits_for_a_picture_starts_when_it_is_drawn() -> None:
    parent = job()
    child = job(blocked_by=parent.id)
    grandchild = job(blocked_by=child.id)
    assert ends([worker(slots=4)], [parent, child, grandchild, job(blocked_by=uuid4())]) == [10, 20, 30, None]


def test_without_a_worker_nothing_is_forecast() -> None:
    assert forecast([], [job()]) == {}


@given(
    slots=st.integers(1, 4),
    line=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 30), st.sampled_from([0, 10])), max_size=30),
)
def test_every_job_gets_a_time_and_the_slots_are_never_idle(
    slots: int, line: list[tuple[int, int, int]]
) -> None:
    jobs = [job(UUID(int=project), tokens, priority=priority) for project, tokens, priority in line]
    done = forecast([worker(slots)], jobs)
    assert done.keys() == {one.id for one in jobs}
    work = sum(one.tokens for one in jobs)
    longest = max((one.tokens for one in jobs), default=0)
    assert max(done.values(), default=0) <= work / slots + longest


@pytest.mark.parametrize("mine", [0, 1, 3])
def test_other_projects_delay_a_job_by_at_most_one_job_for_each_of_its_own(mine: int) -> None:
    line = [job(ALICE) for _ in range(40)] + [job(BOB) for _ in range(mine)]
    last = job(BOB)
    assert ends([worker()], [*line, last])[-1] == 20 * (mine + 1)
