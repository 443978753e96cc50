"""The number of drafts follows the durations of passes and the acceptance of drafts."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.row_shapes import MAX_ROWS, ROW_COUNTS
from services.worker.engine.window import (
    FIRST_REACH,
    WINDOWS,
    WORTH,
    Acceptance,
    StepCosts,
    choose_window,
)


def costs(seconds: Callable[[int], float]) -> StepCosts:
    known = StepCosts()
    for rows in ROW_COUNTS:
        known.observe(rows, seconds(rows))
    return known


def acceptance(rate: float) -> Acceptance:
    measured = Acceptance()
    for _ in range(100):
        measured.observe(round(100 * rate), wrong=False)
        for _ in range(round(100 * (1 - rate))):
            measured.observe(0, wrong=True)
    return measured


def two_streams(drafts: int) -> int:
    return 2 * (drafts + 1)


def test_free_rows_get_the_widest_window():
    assert choose_window([acceptance(0.9)], two_streams, costs(lambda rows: 1.0), MAX_ROWS) == WINDOWS[-1]


def test_expensive_rows_get_no_drafts_that_fail():
    steep = costs(lambda rows: float(rows))
    assert choose_window([acceptance(0.0)], two_streams, steep, MAX_ROWS) == 0


def test_a_sequential_pass_comes_first():
    untried = StepCosts(dict.fromkeys(ROW_COUNTS, 1.0))
    assert choose_window([acceptance(0.9)], two_streams, untried, MAX_ROWS) == 0
    untried.observe(2, 1.0)
    assert choose_window([acceptance(0.9)], two_streams, untried, MAX_ROWS) > 0


def test_passes_that_are_padded_further_are_known_by_their_padded_rows():
    padded = StepCosts(fewest_rows=4)
    assert not padded.known(2)
    padded.observe(4, 1.0)
    assert padded.known(2)
    assert padded.seconds(2) == 1.0


def test_better_drafts_get_a_window_at_least_as_wide():
    middling = costs(lambda rows: 1 + rows / 16)
    windows = [
        choose_window([acceptance(rate)], two_streams, middling, MAX_ROWS) for rate in (0.1, 0.5, 0.8, 0.95)
    ]
    assert windows == sorted(windows)
    assert windows[0] < windows[-1]


@given(st.integers(1, MAX_ROWS))
def test_the_rows_of_a_step_stay_within_their_limit(max_rows: int):
    chosen = choose_window([Acceptance()], two_streams, costs(lambda rows: 1.0), max_rows)
    assert chosen == 0 or two_streams(chosen) <= max_rows


def test_unmeasured_sizes_are_estimated_from_kernel_times():
    known = StepCosts({4: 1.0, 8: 1.5, 16: 2.0})
    assert known.seconds(16) == 2.0
    known.observe(8, 2.5)
    assert known.seconds(5) == 2.5
    assert known.seconds(16) == 3.0
    assert known.seconds(4) == 2.0


def test_without_measurements_a_pass_costs_its_rows():
    assert StepCosts().seconds(60) == 64.0


def test_one_slow_pass_moves_the_mean_by_a_tenth():
    known = StepCosts()
    known.observe(8, 1.0)
    known.observe(8, 11.0)
    assert round(known.seconds(8), 9) == 2.0


def test_a_slower_pass_raises_the_estimates_of_other_sizes():
    known = StepCosts()
    for rows, seconds in ((2, 1.0), (8, 1.5)):
        known.observe(rows, seconds)
    for _ in range(200):
        known.observe(8, 3.0)
    assert known.seconds(8) == pytest.approx(3.0)
    assert 1.5 < known.seconds(2) < 2.0


def test_acceptance_follows_the_drafts():
    measured = Acceptance()
    for _ in range(60):
        measured.observe(3, wrong=True)
    assert abs(measured.rate - 0.75) < 0.01
    assert abs(measured.expected_tokens(1) - 1.75) < 0.01
    assert measured.expected_tokens(0) == 1


def test_a_sequence_tries_few_drafts_until_some_have_held():
    free = costs(lambda rows: 1.0)
    measured = Acceptance()
    assert choose_window([measured], two_streams, free, MAX_ROWS) == FIRST_REACH
    measured.observe(3, wrong=False)
    assert choose_window([measured], two_streams, free, MAX_ROWS) == 7
    measured.observe(0, wrong=True)
    assert choose_window([measured], two_streams, free, MAX_ROWS) == 7
    assert choose_window([measured, Acceptance(WINDOWS[-1])], two_streams, free, MAX_ROWS) == WINDOWS[-1]


def test_a_gain_below_the_error_of_estimates_is_ignored():
    def two_tokens_for(price: float) -> int:
        dear = costs(lambda rows: 1.0 if rows == 2 else price)
        return choose_window([acceptance(1.0)], lambda drafts: 2 if drafts == 0 else 4, dear, MAX_ROWS)

    most = acceptance(1.0).expected_tokens(WINDOWS[-1])
    assert two_tokens_for(most / (WORTH - 0.01)) == 0
    assert two_tokens_for(most / (WORTH + 0.01)) == WINDOWS[-1]
