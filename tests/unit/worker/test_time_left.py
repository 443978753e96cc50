"""The estimated time left is correct within 30 % from ten seconds on, in simulated drawings.

Fixed bug: after a resume it was 10 to 60 times too long, because prefill and earlier time counted, too.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from services.worker.job.time_left import CandidateWork, Rate, TimeLeft

Speed = Callable[[float], float]
"""Work per second of one candidate, as a function of the time in seconds."""


@dataclass(frozen=True)
class Simulated:
    """A simulated job: prefill of one candidate after the other, then all draw at the same time."""

    codes: float = 2_000.0
    prompt: float = 0.0
    candidates: int = 1
    reads: Speed = lambda _: 100.0
    draws: Speed = lambda _: 5.0
    tick: float = 1.0


def states_over_time(job: Simulated) -> list[tuple[float, list[CandidateWork]]]:
    """Time in seconds and work of each candidate, at each tick until all are drawn."""
    work = [CandidateWork(0.0, job.prompt, 0.0, job.codes)] * job.candidates
    time, seen = 0.0, [(0.0, list(work))]
    while any(one.drawn < one.drawn_total for one in work):
        reading = next((index for index, one in enumerate(work) if one.prefilling), None)
        for index, one in enumerate(work):
            if index == reading:
                read = one.prefill_done + job.tick * job.reads(time)
                work[index] = replace(one, prefill_done=min(one.prefill_total, read))
            elif one.drawing:
                drawn = one.drawn + job.tick * job.draws(time)
                work[index] = replace(one, drawn=min(one.drawn_total, drawn))
        time += job.tick
        seen.append((time, list(work)))
    return seen


def estimates(job: Simulated, guess: float | None = None) -> tuple[float, list[tuple[float, float | None]]]:
    """The end of the job in seconds, and time and estimate at each tick."""
    left = TimeLeft(guess)
    estimated: list[tuple[float, float | None]] = []
    seen = states_over_time(job)
    for time, states in seen:
        left.observe(time, states)
        estimated.append((time, left.seconds()))
    return seen[-1][0], estimated


def assert_right_within(
    share: float, job: Simulated, *, since: float, until: float = 0.0, guess: float | None = None
) -> None:
    """Check that each estimate from `since` to `until` seconds before the end is off by at most `share`."""
    end, estimated = estimates(job, guess)
    for time, estimate in estimated:
        if since <= time <= end - max(until, 5.0):
            assert estimate is not None, f"after {time} s"
            assert abs(estimate - (end - time)) <= share * (end - time), (time, estimate, end - time)


def test_a_drawing_without_prompt_is_right_from_ten_seconds_on() -> None:
    assert_right_within(0.05, Simulated(), since=10)


def test_a_long_prompt_does_not_count_for_the_codes() -> None:
    """A resume has 200 s of prefill for the prompt and the saved codes, then draws 5 codes per second."""
    job = Simulated(prompt=20_000.0)
    assert_right_within(0.3, job, since=10, guess=4.5)
    assert_right_within(0.05, job, since=203)


def test_before_the_first_code_there_is_an_estimate_only_with_a_guess() -> None:
    _, estimated = estimates(Simulated(prompt=20_000.0))
    assert estimated[50][1] is None
    _, estimated = estimates(Simulated(prompt=20_000.0), guess=5.0)
    assert estimated[50][1] == pytest.approx(150 + 400)


def test_a_change_of_the_batch_neighbours_shows_within_the_window() -> None:
    comes = Simulated(draws=lambda time: 5.0 if time < 100 else 2.5)
    end, estimated = estimates(comes)
    for time, estimate in estimated:
        if 135 <= time < end - 5:
            assert estimate == pytest.approx(end - time, rel=0.05)
    goes = Simulated(draws=lambda time: 2.5 if time < 100 else 5.0)
    end, estimated = estimates(goes)
    for time, estimate in estimated:
        if 135 <= time < end - 5:
            assert estimate == pytest.approx(end - time, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_the_bursts_of_speculation_are_evened_out(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  (dice of a test)
    bursts = [dice.choice([1.0, 1.0, 3.0, 8.0, 15.0]) for _ in range(4_000)]
    job = Simulated(codes=4_000.0, draws=lambda time: bursts[int(time)])
    end, estimated = estimates(job)
    errors = [
        abs((estimate or 0.0) / (end - time) - 1) for time, estimate in estimated if 10 <= time < end - 30
    ]
    assert sorted(errors)[len(errors) * 8 // 10] <= 0.3


def test_candidates_that_draw_at_the_same_time_are_not_added_up() -> None:
    assert_right_within(0.05, Simulated(candidates=4), since=10)


def test_candidates_whose_prompts_are_read_in_turn() -> None:
    job = Simulated(candidates=3, prompt=1_000.0)
    assert_right_within(0.3, job, since=10, guess=5.0)


def test_a_drawing_without_progress_has_no_estimate() -> None:
    left = TimeLeft()
    for time in range(30):
        left.observe(float(time), [CandidateWork(0.0, 0.0, 0.0, 100.0)])
    assert left.seconds() is None


def test_a_finished_drawing_has_no_time_left() -> None:
    left = TimeLeft()
    left.observe(0.0, [CandidateWork(5.0, 5.0, 10.0, 10.0)])
    assert left.seconds() == 0.0


def test_a_rate_forgets_intervals_before_its_window() -> None:
    rate = Rate()
    for _ in range(100):
        rate.add(1.0, 1.0)
    for _ in range(60):
        rate.add(1.0, 7.0)
    assert rate.per_second() == pytest.approx(7.0)
