"""Evaluate a model on the scene world: `python -m training.evaluate --model models/tiny --output report`.

Every table has three columns. `truth` has the scores of the true pictures, which show the judge's own errors;
`reconstruction` has those of the true pictures after encoding and decoding, the ceiling that the image
tokenizer sets; `model` has those of the model's pictures. Without --model there is only `truth`. Writes
evaluation.json, evaluation.md and contact_sheet.png.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from training.judging.codes import judge_tokenizer
from training.judging.contact_sheet import contact_sheet
from training.judging.generator import PictureGenerator, TokenizedAnswers, TrueAnswers
from training.judging.plan import EvaluationPlan, SectionReport
from training.judging.sections.conditioned import judge_controls, judge_pairs, judge_subjects
from training.judging.sections.dense import judge_dense
from training.judging.sections.editing import judge_chains, judge_edits
from training.judging.sections.text_to_image import judge_text_to_image
from training.judging.table import Column, as_json, as_markdown
from training.program import FOLDER, FOLDER_THERE, NOT_NEGATIVE, SEED, TrainingProgram, check_writable
from training.scenes.world import CELL

Judge = Callable[[PictureGenerator, EvaluationPlan], SectionReport]

SECTIONS: Final[dict[str, Judge]] = {
    "text_to_image": judge_text_to_image,
    "edit": judge_edits,
    "chains": judge_chains,
    "subject": judge_subjects,
    "control": judge_controls,
    "image_pair": judge_pairs,
    "dense": judge_dense,
}


@click.command(cls=TrainingProgram)
@click.option("--model", type=FOLDER_THERE, help="Model folder.")
@click.option("--adapter", metavar="NAME", help="LoRA adapter: a name in MODEL/adapters, or a folder.")
@click.option("--output", type=FOLDER, required=True, help="Report folder.")
@click.option("--per-row", type=click.IntRange(min=1), default=100, show_default=True, help="Questions.")
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--side", type=click.Choice(["64", "96"]), default="64", show_default=True, help="In pixels.")
@click.option("--section", "sections", type=click.Choice(list(SECTIONS)), multiple=True, help="Default: all.")
@click.option("--guidance-scale", type=NOT_NEGATIVE, help="Default: what the model recommends.")
@click.option("--temperature", type=NOT_NEGATIVE, default=1.0, show_default=True)
@click.option("--top-k", type=click.IntRange(min=1), help="Draw from the k likeliest codes. Default: all.")
def main(
    *,
    model: Path | None,
    adapter: str | None,
    output: Path,
    per_row: int,
    seed: int,
    side: str,
    sections: tuple[str, ...],
    guidance_scale: float | None,
    temperature: float,
    top_k: int | None,
) -> None:
    """Measure the model on every task and write the report."""
    check_writable(output)
    plan = EvaluationPlan(per_row=per_row, seed=seed, cells=int(side) // CELL)
    judges = [SECTIONS[name] for name in sections or SECTIONS]
    settings: dict[str, str] = {}
    reports = {"truth": _judge_all(judges, TrueAnswers(), plan, "truth")}
    if model is not None:
        # the engine is slow to import, and without a model it is not needed
        from training.judging.engine_generator import load_generator

        generator = load_generator(
            model,
            guidance_scale=guidance_scale,
            temperature=temperature,
            top_k=top_k,
            adapter=adapter,
        )
        settings = {
            "model": model.name,
            "adapter": adapter or "none",
            "guidance scale": f"{generator.sampling.guidance_scale:g}",
            "temperature": f"{temperature:g}",
            "top k": "all" if top_k is None else str(top_k),
        }
        tokenized = TokenizedAnswers(generator.codec)
        reports["reconstruction"] = _judge_all(judges, tokenized, plan, "reconstruction")
        reports["reconstruction"].scores += judge_tokenizer(generator.codec, plan).scores
        reports["model"] = _judge_all(judges, generator, plan, "model")
    columns = [Column(name, report.scores) for name, report in reports.items()]
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(as_json(plan, settings, columns))
    (output / "evaluation.md").write_text(as_markdown(plan, settings, columns))
    contact_sheet([*reports.values()][-1].exhibits).save(output / "contact_sheet.png")


def _judge_all(
    judges: Sequence[Judge], generator: PictureGenerator, plan: EvaluationPlan, name: str
) -> SectionReport:
    """Judge one generator in the chosen sections; returns a joint report."""
    whole = SectionReport()
    for judge in judges:
        click.echo(f"{name}: {judge.__name__.removeprefix('judge_')}", err=True)
        report = judge(generator, plan)
        whole.scores += report.scores
        whole.exhibits += report.exhibits
    return whole


if __name__ == "__main__":
    main()
