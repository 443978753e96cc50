"""The scores of an evaluation as JSON and as Markdown tables."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from training.judging.plan import SPLITS
from training.judging.scores import Row, Score
from training.scenes.splits import Split

Item = TypeVar("Item")

_SPLIT_NAMES: dict[Split, str] = {"train": "seen", "held_out": "held out"}


class Plan(Protocol):
    """What the tables say about an evaluation; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def per_row(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def size(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Column:
    """All scores of one generator: true pictures, reconstructions or the model."""

    name: str
    scores: list[Score]


def as_json(plan: Plan, settings: dict[str, str], columns: list[Column]) -> str:
    """The plan, the model's settings and all scores; every score is one object."""
    document = {
        "plan": asdict(plan),
        "settings": settings,
        "scores": {column.name: [_flat(score) for score in column.scores] for column in columns},
    }
    return json.dumps(document, indent=1) + "\n"


def as_markdown(plan: Plan, settings: dict[str, str], columns: list[Column]) -> str:
    """One table per section, with the splits side by side."""
    lines = [
        "# Evaluation",
        "",
        f"{plan.per_row} questions per row and split, seed {plan.seed}, {plan.size}.",
        "Brackets contain 95 % intervals (Wilson's for shares).",
        "",
        *(f"- {name}: {value}" for name, value in settings.items()),
    ]
    for section in _ordered(score.row.section for column in columns for score in column.scores):
        lines += ["", f"## {section.capitalize()}", "", *_section_table(section, columns)]
    return "\n".join(lines) + "\n"


def _section_table(section: str, columns: list[Column]) -> list[str]:
    """The lines of one section's table; columns without scores in this section are left out."""
    present = [c for c in columns if any(score.row.section == section for score in c.scores)]
    lookup = {(c.name, score.row, score.measure): score for c in present for score in c.scores}
    keys = _ordered(
        (score.row.name, score.measure)
        for column in present
        for score in column.scores
        if score.row.section == section
    )
    heads = [f"{column.name}, {_SPLIT_NAMES[split]}" for split in SPLITS for column in present]
    lines = ["| row | measure | " + " | ".join(heads) + " |", "|---|---|" + "---:|" * len(heads)]
    for name, measure in keys:
        cells = [
            _cell(lookup.get((column.name, Row(section, name, split), measure)))
            for split in SPLITS
            for column in present
        ]
        lines.append(f"| {name} | {measure} | " + " | ".join(cells) + " |")
    return lines


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    if score.low == score.high:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} [{score.low:.2f}, {score.high:.2f}]"


def _flat(score: Score) -> dict[str, str | float | int]:
    fields = asdict(score)
    return {**fields.pop("row"), **fields}


def _ordered(items: Iterable[Item]) -> list[Item]:
    """Each item once, in the order of its first appearance."""
    return list(dict.fromkeys(items))
