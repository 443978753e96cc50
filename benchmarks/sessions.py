"""Measure how far a picture drifts over the turns of a session, in three ways of keeping it.

    python -m benchmarks.sessions --sessions 50

Ten rounds of an edit and its inverse, as in ConvergeBench, and sixteen different edits in a row, on the
bundled model in one process. Writes docs/benchmarks/sessions.json, docs/benchmarks/sessions.svg and
docs/session_benchmarks.md. The program fails if a token outside a mask ever changes.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import describe_machine
from benchmarks.session_edits import sample_round_trip, sample_row
from benchmarks.session_rounds import Compared, Turn, Way, round_trips, rows_of_turns
from benchmarks.sessions_page import figure, page
from training.judging.engine_generator import load_generator


def means(values: Sequence[Compared] | Sequence[Turn]) -> dict[str, float]:
    """The mean of each field over the sessions that have it."""
    rows = [asdict(value) for value in values]
    return {
        name: round(statistics.fmean(row[name] for row in rows if row[name] is not None), 4)
        for name in rows[0]
        if any(row[name] is not None for row in rows)
    }


def summary(measured: Mapping[Way, Sequence[Sequence[Compared] | Sequence[Turn]]]) -> dict[str, Any]:
    """For each way, the means after each round or turn."""
    return {way.value: [means(values) for values in rounds] for way, rounds in measured.items()}


def main() -> None:
    """Read the arguments, measure, and write the results, the figure and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/tiny"))
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--turns", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = load_generator(arguments.model, guidance_scale=None, temperature=1.0, top_k=4096)
    rng = np.random.default_rng(16)
    trips = [sample_round_trip(rng) for _ in range(arguments.sessions)]
    rows = [sample_row(rng, arguments.turns) for _ in range(arguments.sessions)]
    results = {
        "machine": describe_machine(),
        "model": arguments.model.name,
        "sessions": arguments.sessions,
        "cells_in_masks": round(statistics.fmean(float(trip.changed.mean()) for trip in trips), 4),
        "rounds": summary(round_trips(generator, trips, arguments.rounds)),
        "turns": summary(rows_of_turns(generator, rows)),
    }
    folder = arguments.docs / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sessions.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "sessions.svg").write_text(figure(results), encoding="utf-8")
    (arguments.docs / "session_benchmarks.md").write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
