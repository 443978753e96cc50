"""The benchmark of sessions: inverse edits, exact masks, and a page with all ways."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sessions
from benchmarks.session_edits import KINDS, changed_cells, sample_round_trip, sample_row
from benchmarks.session_rounds import Way
from benchmarks.sessions_page import CONVERGEBENCH, LABEL_GAP, spread

ROOT = Path(__file__).parents[2]


def test_the_inverse_of_an_edit_leads_back_to_the_scene_within_the_same_mask() -> None:
    rng = np.random.default_rng(1)
    trips = [sample_round_trip(rng) for _ in range(40)]
    assert {trip.there.edit.kind for trip in trips} == set(KINDS)
    for trip in trips:
        assert trip.back.after == trip.there.before
        assert (changed_cells(trip.back) == trip.changed).all()
        assert 0 < trip.changed.mean() < 1


def test_each_edit_of_a_row_starts_where_the_one_before_ended() -> None:
    row = sample_row(np.random.default_rng(2), 16)
    assert [step.before for step in row[1:]] == [step.after for step in row[:-1]]


def test_labels_never_overlap() -> None:
    places = sorted(spread({"a": 10.0, "b": 11.0, "c": 100.0, "d": 12.0}).values())
    assert min(np.diff(places)) >= LABEL_GAP


@pytest.mark.long
def test_a_short_run_writes_the_results_the_figure_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run itself fails if a token outside a mask changes."""
    arguments = ["--model", str(ROOT / "models/tiny"), "--threads", "1", "--docs", str(tmp_path)]
    small = ["--sessions", "2", "--rounds", "2", "--turns", "2"]
    monkeypatch.setattr(sys, "argv", ["sessions", *arguments, *small])
    sessions.main()
    results = json.loads((tmp_path / "benchmarks/sessions.json").read_text())
    assert [one["agreement_outside"] for one in results["rounds"][Way.MASKED.value]] == [1.0, 1.0]
    figure = (tmp_path / "benchmarks/sessions.svg").read_text()
    page = (tmp_path / "session_benchmarks.md").read_text()
    for name in (*CONVERGEBENCH, *(way.value for way in Way)):
        assert name in figure
        assert name in page
