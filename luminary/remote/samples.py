"""Samples of metrics in Prometheus' text format."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Samples:
    """The samples of one answer. taken_at: seconds of a clock that never goes back."""

    taken_at: float
    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def parse(cls, text: str, taken_at: float) -> Self:
        """Parse an answer of `/metrics`; lines that are no samples are skipped."""
        found = filter(None, map(SAMPLE.match, text.splitlines()))
        return cls(
            taken_at,
            {(line[1], frozenset(LABEL.findall(line[2] or ""))): float(line[3]) for line in found},
        )

    def total(self, name: str, **labels: str) -> float | None:
        """Sum of the samples with this name and these labels; None if there are none."""
        wanted = set(labels.items())
        values = [value for (own, has), value in self.values.items() if own == name and wanted <= has]
        return sum(values) if values else None

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Sums of the samples by the value of one label."""
        wanted, sums = set(labels.items()), dict[str, float]()
        for (own, has), value in self.values.items():
            if own == name and wanted <= has and (key := dict(has).get(label)) is not None:
                sums[key] = sums.get(key, 0.0) + value
        return sums

    def per_second(self, before: "Samples", name: str, **labels: str) -> float | None:
        """Rate of a counter since an earlier answer; None without time between them, or after a restart."""
        seconds = self.taken_at - before.taken_at
        grown = (self.total(name, **labels) or 0.0) - (before.total(name, **labels) or 0.0)
        return grown / seconds if seconds > 0 and grown >= 0 else None
