"""Editing: whether the change was made and the rest kept, for single edits and up to four in a row."""

from dataclasses import replace
from functools import partial

from numpy.random import Generator

from training.judging.generator import Drawing, PictureGenerator, Question
from training.judging.plan import SPLITS, EvaluationPlan, Exhibit, SectionReport
from training.judging.scores import Row, mean_score, success_score
from training.judging.verdicts import EditVerdict, judge_edit, shows_exactly
from training.scenes.chains import EDIT_KINDS, LONGEST_CHAIN, EditStep, sample_chain, sample_step
from training.scenes.edits import EditKind
from training.scenes.examples import TrainingExample, edit_example
from training.scenes.splits import Split

SINGLE = "edit"
CHAINS = "edits in a row"


def judge_edits(generator: PictureGenerator, plan: EvaluationPlan) -> SectionReport:
    """Every kind of edit separately, and all kinds together."""
    report = SectionReport()
    for split in SPLITS:
        everything: list[EditVerdict] = []
        for kind in EDIT_KINDS:
            row = Row(SINGLE, kind, split)
            sample = partial(_sample, kind=kind, split=split, cells=plan.cells)
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


def judge_chains(generator: PictureGenerator, plan: EvaluationPlan) -> SectionReport:
    """The share of chains whose picture is exactly right after 1, 2, 3 and 4 edits.

    Every turn starts from the generator's own last drawing, not from the true picture.
    """
    report = SectionReport()
    for split in SPLITS:
        rng = plan.chance(Row(CHAINS, "chains", split))
        chains = [sample_chain(rng, LONGEST_CHAIN, split, cells=plan.cells) for _ in range(plan.per_row)]
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
            start = examples[index][0].panels[0]
            report.exhibits.append(Exhibit(words, (start, *(drawings[index].picture for drawings in turns))))
    return report


def _draw_turns(
    generator: PictureGenerator, examples: list[list[TrainingExample]], seed: int
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


def _sample(rng: Generator, kind: EditKind, split: Split, cells: int) -> TrainingExample:
    return edit_example(sample_step(rng, split, kind=kind, cells=cells))


def _step(example: TrainingExample) -> EditStep:
    if example.step is None:
        raise ValueError("an edit example without its step")
    return example.step
