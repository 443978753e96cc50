"""Dense prediction: predicted maps compared with the exact ones."""

from functools import partial

import numpy as np
from numpy.random import Generator

from shared.tasks import MapKind
from training.judging.generator import Drawing, PictureGenerator
from training.judging.map_reading import read_depth
from training.judging.metrics import edge_f1, mean_iou, relative_error
from training.judging.plan import SPLITS, SectionReport
from training.judging.scores import Row, Score, exact_score, mean_score
from training.scenes.splits import Split
from training.world.examples import TARGETS, WorldExample, dense_example
from training.world.judge.map_reading import CLASSES, read_lines, read_segmentation
from training.world.judge.plan import WorldPlan
from training.world.maps import depth_map, owner_map
from training.world.scene import Canvas


def judge_dense(generator: PictureGenerator, plan: WorldPlan) -> SectionReport:
    """abs_rel on the pixels of things, mean IoU over the classes, and F1 of lines within one pixel."""
    report = SectionReport()
    for split in SPLITS:
        for target in TARGETS:
            row = Row("dense", target, split)
            sample = partial(_sample, target=target, split=split, canvas=plan.canvas)
            examples, drawings = plan.ask(generator, row, sample)
            report.scores.append(_score(row, target, list(zip(examples, drawings, strict=True))))
            report.show(examples, drawings, plan.exhibits)
    return report


def _score(row: Row, target: MapKind, answers: list[tuple[WorldExample, Drawing]]) -> Score:
    match target:
        case MapKind.DEPTH:
            errors = [
                relative_error(
                    read_depth(drawing.picture),
                    depth_map(example.scene).astype(np.float64),
                    owner_map(example.scene) >= 0,
                )
                for example, drawing in answers
            ]
            return mean_score(row, "abs_rel", errors)
        case MapKind.SEGMENTATION:
            maps = [(read_segmentation(d.picture), read_segmentation(e.result)) for e, d in answers]
            return exact_score(row, "mean_iou", mean_iou(maps, CLASSES), len(maps))
        case MapKind.EDGES | MapKind.HED | MapKind.POSE:
            f1 = [edge_f1(read_lines(d.picture), read_lines(e.result)) for e, d in answers]
            return mean_score(row, "f1", f1)


def _sample(rng: Generator, target: MapKind, split: Split, canvas: Canvas) -> WorldExample:
    return dense_example(rng, target, split, canvas)
