"""Dense prediction: predicted depth, segmentation and edges compared with the exact maps."""

from functools import partial

import numpy as np
from numpy.random import Generator

from shared.tasks import MapKind
from training.judging.generator import Drawing, PictureGenerator
from training.judging.map_reading import CLASSES, read_depth, read_edges, read_segmentation
from training.judging.metrics import edge_f1, mean_iou, relative_error
from training.judging.plan import SPLITS, EvaluationPlan, SectionReport
from training.judging.scores import Row, Score, exact_score, mean_score
from training.scenes.examples import TARGETS, TrainingExample, dense_example
from training.scenes.maps import depth_map, edge_map, owner_map, render_map
from training.scenes.splits import Split


def judge_dense(generator: PictureGenerator, plan: EvaluationPlan) -> SectionReport:
    """Score abs_rel on object pixels, mean IoU over the classes, and F1 of edges within one pixel."""
    report = SectionReport()
    for split in SPLITS:
        for target in TARGETS:
            row = Row("dense", target, split)
            sample = partial(_sample, target=target, split=split, cells=plan.cells)
            examples, drawings = plan.ask(generator, row, sample)
            report.scores.append(_score(row, target, list(zip(examples, drawings, strict=True))))
            report.show(examples, drawings, plan.exhibits)
    return report


def _score(row: Row, target: MapKind, answers: list[tuple[TrainingExample, Drawing]]) -> Score:
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
            maps = [
                (
                    read_segmentation(drawing.picture),
                    read_segmentation(render_map(example.scene, MapKind.SEGMENTATION)),
                )
                for example, drawing in answers
            ]
            return exact_score(row, "mean_iou", mean_iou(maps, CLASSES), len(maps))
        case MapKind.EDGES | MapKind.HED | MapKind.POSE:
            f1 = [edge_f1(read_edges(drawing.picture), edge_map(e.scene)) for e, drawing in answers]
            return mean_score(row, "f1", f1)


def _sample(rng: Generator, target: MapKind, split: Split, cells: int) -> TrainingExample:
    return dense_example(rng, target, split, cells=cells)
