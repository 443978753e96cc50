"""Results of several rounds of one benchmark: medians, and ratios within each round."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple


@dataclass(frozen=True)
class Row:
    """One row of the table. Speeds are for the whole batch."""

    engine: str
    precision: str
    batch: int
    decoding: str
    tokens_per_second: float
    milliseconds_per_pass: float
    passes_per_picture: float
    bandwidth_fraction: float | None
    peak_mib: int

    @property
    def key(self) -> "Key":
        return Key(self.engine, self.precision, self.batch, self.decoding)


class Key(NamedTuple):
    """The configuration that a row measures."""

    engine: str
    precision: str
    batch: int
    decoding: str


@dataclass(frozen=True)
class Ratio:
    """Tokens per second of one row divided by those of another: median, least and most over the rounds."""

    precision: str
    what: str
    median: float
    least: float
    most: float


def medians(rounds: Sequence[Sequence[Row]]) -> list[Row]:
    """Medians of each row over the rounds. Memory is the first round's, since the peak never decreases."""
    rows: list[Row] = []
    for same in zip(*rounds, strict=True):
        shares = [row.bandwidth_fraction for row in same if row.bandwidth_fraction is not None]
        rows.append(
            replace(
                same[0],
                tokens_per_second=_median(row.tokens_per_second for row in same),
                milliseconds_per_pass=_median(row.milliseconds_per_pass for row in same),
                passes_per_picture=_median(row.passes_per_picture for row in same),
                bandwidth_fraction=_median(shares) if shares else None,
                peak_mib=same[0].peak_mib,
            )
        )
    return rows


def ratios(rounds: Sequence[Sequence[Row]]) -> list[Ratio]:
    """Ratios to transformers (fp32 for quantised weights), of batches to one picture, of speculation."""
    speeds = [{row.key: row.tokens_per_second for row in rows} for rows in rounds]
    found: list[Ratio] = []
    for key in speeds[0]:
        one = key._replace(batch=1)
        sequential = key._replace(decoding="sequential")
        if key.engine == "transformers":
            continue
        if key != sequential:
            found.append(_ratio(speeds, key, sequential, f"speculative to sequential, pictures: {key.batch}"))
        elif key != one:
            found.append(_ratio(speeds, key, one, f"{key.batch} pictures to one"))
        else:
            precision = "fp32" if "+" in key.precision else key.precision
            reference = Key("transformers", precision, 1, "sequential")
            if reference in speeds[0]:
                found.append(_ratio(speeds, key, reference, f"one picture to transformers in {precision}"))
    return found


def _ratio(speeds: Sequence[dict[Key, float]], key: Key, base: Key, what: str) -> Ratio:
    values = [speed[key] / speed[base] for speed in speeds]
    return Ratio(key.precision, what, _median(values), round(min(values), 3), round(max(values), 3))


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)
