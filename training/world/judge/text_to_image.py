"""Text to image: a table like GenEval's, judged by recognition instead of a learned detector."""

from functools import partial

from numpy.random import Generator

from training.judging.generator import PictureGenerator
from training.judging.plan import SPLITS, SectionReport
from training.judging.scores import Row, success_score
from training.scenes.splits import Split
from training.world.examples import WorldExample, text_to_image_example
from training.world.judge.plan import WorldPlan
from training.world.judge.recognition import recognise
from training.world.prompts import GENEVAL_ROWS
from training.world.prompts import Row as PromptRow
from training.world.rendering import Picture
from training.world.scene import Canvas

SECTION = "text to image"


def judge_text_to_image(generator: PictureGenerator, plan: WorldPlan) -> SectionReport:
    """Success of every row; `overall` is the mean of GenEval's six rows, which have equally many prompts."""
    report = SectionReport()
    for split in SPLITS:
        geneval: list[bool] = []
        for prompt_row in PromptRow:
            row = Row(SECTION, prompt_row, split)
            sample = partial(_sample, prompt_row=prompt_row, split=split, canvas=plan.canvas)
            examples, drawings = plan.ask(generator, row, sample)
            outcomes = [_fits(e, d.picture) for e, d in zip(examples, drawings, strict=True)]
            report.scores.append(success_score(row, outcomes))
            report.show(examples, drawings, plan.exhibits)
            geneval += outcomes if prompt_row in GENEVAL_ROWS else []
        report.scores.append(success_score(Row(SECTION, "overall", split), geneval))
    return report


def _sample(rng: Generator, prompt_row: PromptRow, split: Split, canvas: Canvas) -> WorldExample:
    return text_to_image_example(rng, prompt_row, split, canvas)


def _fits(example: WorldExample, picture: Picture) -> bool:
    return example.criterion is not None and example.criterion.fits(recognise(picture))
