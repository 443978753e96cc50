"""The whole evaluation of the larger world: every task in every size, as tables and a contact sheet."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from training.judging.contact_sheet import contact_sheet
from training.judging.generator import PictureCodec, PictureGenerator, TokenizedAnswers, TrueAnswers
from training.judging.plan import Exhibit, SectionReport
from training.judging.table import Column, as_json, as_markdown
from training.world.judge.conditioned import judge_controls, judge_pairs, judge_subjects
from training.world.judge.dense import judge_dense
from training.world.judge.editing import judge_chains, judge_edits
from training.world.judge.plan import WorldPlan
from training.world.judge.text_to_image import judge_text_to_image

Judge = Callable[[PictureGenerator, WorldPlan], SectionReport]

SECTIONS: Final[dict[str, Judge]] = {
    "text_to_image": judge_text_to_image,
    "edit": judge_edits,
    "chains": judge_chains,
    "subject": judge_subjects,
    "control": judge_controls,
    "image_pair": judge_pairs,
    "dense": judge_dense,
}


def evaluate(
    plans: Sequence[WorldPlan],
    sections: Sequence[str],
    output: Path,
    settings: dict[str, str],
    *,
    model: PictureGenerator | None = None,
    codec: PictureCodec | None = None,
) -> None:
    """Judge true pictures, reconstructions and a model's pictures; write evaluation.md, .json and the sheet.

    plans: one for each size. codec: without it there are no reconstructions.
    """
    output.mkdir(parents=True, exist_ok=True)
    pages: list[str] = []
    documents: list[object] = []
    exhibits: list[Exhibit] = []
    for plan in plans:
        reports = {"truth": _judge_all(TrueAnswers(), plan, sections, "truth")}
        if codec is not None:
            tokenized = TokenizedAnswers(codec)
            reports["reconstruction"] = _judge_all(tokenized, plan, sections, "reconstruction")
        if model is not None:
            reports["model"] = _judge_all(model, plan, sections, "model")
        columns = [Column(name, report.scores) for name, report in reports.items()]
        pages.append(as_markdown(plan, settings, columns))
        documents.append(json.loads(as_json(plan, settings, columns)))
        exhibits += [*reports.values()][-1].exhibits
    (output / "evaluation.md").write_text("\n".join(pages), encoding="utf-8")
    (output / "evaluation.json").write_text(json.dumps(documents, indent=1) + "\n", encoding="utf-8")
    contact_sheet(exhibits).save(output / "contact_sheet.png")


def _judge_all(
    generator: PictureGenerator, plan: WorldPlan, sections: Sequence[str], name: str
) -> SectionReport:
    """Judge one generator in the chosen sections; returns a joint report."""
    whole = SectionReport()
    for section in sections:
        click.echo(f"{plan.canvas}, {name}: {section}", err=True)
        report = SECTIONS[section](generator, plan)
        whole.scores += report.scores
        whole.exhibits += report.exhibits
    return whole
