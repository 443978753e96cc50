"""Editing: whether the change was made and the rest kept, for single edits and up to five in a row."""

from dataclasses import replace
from functools import partial

from numpy.random import Generator

from training.judging.generator import Drawing, PictureGenerator, Question
from training.judging.plan import SPLITS, Exhibit, SectionReport
from training.judging.scores import Row, mean_score, success_score
from training.scenes.splits import Split
from training.world.chains import LONGEST_CHAIN, EditStep, StepKind, sample_chain, sample_step
from training.world.examples import WorldExample, edit_example
from training.world.judge.plan import WorldPlan
from training.world.judge.verdicts import EditVerdict, judge_edit, shows_exactly
from training.world.scene import Canvas

SINGLE = "edit"
CHAINS = "edits in a row"


def judge_edits(generator: PictureGenerator, plan: WorldPlan) -> SectionReport:
    """Every kind of edit separately, and all kinds together."""
    report = SectionReport()
    for split in SPLITS:
        everything: list[EditVerdict] = []
        for kind in StepKind:
            row = Row(SINGLE, kind, split)
            sample = partial(_sample, kind=kind, split=split, canvas=plan.canvas)
            examples, drawings = plan.ask(generator, row, sample)
            verdicts = [
                judge_edit(drawing.picture, _step(example))
                for example, drawing in zip(examples, drawings, strict=True)
            ]
            _add_scores(report, row, verdicts)
            report.show(examples, drawings, plan.exhibits)
            everything += verdicts
        _add_scores(report, Row(SINGLE, "overall", split), everything)
    return report


def judge_chains(generator: PictureGenerator, plan: WorldPlan) -> SectionReport:
    """The share of chains whose picture is exactly right after one to five edits.

    Every turn starts from the generator's own last drawing, not from the true picture. Chains leave nothing
    open, so there is one right picture for each turn.
    """
    report = SectionReport()
    for split in SPLITS:
        rng = plan.chance(Row(CHAINS, "chains", split))
        chains = [_clear_chain(rng, split, plan.canvas) for _ in range(plan.per_row)]
        examples = [[edit_example(step) for step in chain] for chain in chains]
        turns = _draw_turns(generator, examples, plan.seed)
        for turn, drawings in enumerate(turns):
            outcomes = [
                shows_exactly(drawing.picture, chain[turn].after)
                for chain, drawing in zip(chains, drawings, strict=True)
            ]
            edits = "1 edit" if turn == 0 else f"{turn + 1} edits"
            report.scores.append(success_score(Row(CHAINS, f"after {edits}", split), outcomes))
        for index, chain in enumerate(chains[: plan.exhibits]):
            words = ", then ".join(step.instruction for step in chain)
            start = examples[index][0].given
            if start is not None:
                pictures = (start, *(drawings[index].picture for drawings in turns))
                report.exhibits.append(Exhibit(words, pictures))
    return report


def _clear_chain(rng: Generator, split: Split, canvas: Canvas) -> tuple[EditStep, ...]:
    """A chain whose instructions say everything about new things."""
    while True:
        chain = sample_chain(rng, LONGEST_CHAIN, split, canvas)
        if all(change.is_definite for step in chain for change in step.changes):
            return chain


def _draw_turns(
    generator: PictureGenerator, examples: list[list[WorldExample]], seed: int
) -> list[list[Drawing]]:
    """The drawings of all chains, one list per turn."""
    turns: list[list[Drawing]] = []
    for turn in range(LONGEST_CHAIN):
        questions = [
            Question(chain[turn], seed + index + turn * len(examples)) for index, chain in enumerate(examples)
        ]
        if turns:
            questions = [replace(q, given=last) for q, last in zip(questions, turns[-1], strict=True)]
        turns.append(generator.generate(questions))
    return turns


def _add_scores(report: SectionReport, row: Row, verdicts: list[EditVerdict]) -> None:
    report.scores += [
        success_score(row, [verdict.success for verdict in verdicts]),
        success_score(row, [verdict.change_made for verdict in verdicts], "change made"),
        success_score(row, [verdict.rest_kept for verdict in verdicts], "rest kept"),
        mean_score(row, "psnr_db of the kept part", [verdict.kept_psnr for verdict in verdicts]),
    ]


def _sample(rng: Generator, kind: StepKind, split: Split, canvas: Canvas) -> WorldExample:
    return edit_example(sample_step(rng, split, canvas, kind=kind))


def _step(example: WorldExample) -> EditStep:
    if example.step is None:
        raise ValueError("an edit example without its step")
    return example.step
