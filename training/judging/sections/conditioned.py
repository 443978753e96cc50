"""Subject, control and image pair: whether the picture matches its words and its other panel."""

from functools import partial

import numpy as np
from numpy.random import Generator

from shared.tasks import MapKind
from training.judging.generator import Drawing, PictureGenerator
from training.judging.map_reading import object_edges
from training.judging.metrics import edge_f1, psnr, relative_error
from training.judging.plan import SPLITS, EvaluationPlan, SectionReport
from training.judging.recognition import recognise
from training.judging.scores import Row, Score, mean_score, success_score
from training.scenes.descriptions import Description
from training.scenes.examples import (
    CONTROLS,
    TrainingExample,
    control_example,
    image_pair_example,
    subject_example,
)
from training.scenes.maps import depth_map, edge_map, owner_map, render_map
from training.scenes.scene import Scene
from training.scenes.splits import Split


def judge_subjects(generator: PictureGenerator, plan: EvaluationPlan) -> SectionReport:
    """`subject kept`: an object has the subject's kind, colour and size. Success: all the words match."""
    report = SectionReport()
    for split in SPLITS:
        row = Row("subject", "overall", split)
        sample = partial(_sample_subject, split=split, cells=plan.cells)
        examples, drawings = plan.ask(generator, row, sample)
        seen = [recognise(drawing.picture) for drawing in drawings]
        kept = [_shows_subject(e, scene) for e, scene in zip(examples, seen, strict=True)]
        fits = [_criterion(e).fits(scene) for e, scene in zip(examples, seen, strict=True)]
        report.scores += [success_score(row, fits), success_score(row, kept, "subject kept")]
        report.show(examples, drawings, plan.exhibits)
    return report


def judge_controls(generator: PictureGenerator, plan: EvaluationPlan) -> SectionReport:
    """`layout`: kinds, sizes and positions match the map. Success: the words match too."""
    report = SectionReport()
    for split in SPLITS:
        for control in CONTROLS:
            row = Row("control", control, split)
            sample = partial(_sample_control, control=control, split=split, cells=plan.cells)
            examples, drawings = plan.ask(generator, row, sample)
            seen = [recognise(drawing.picture) for drawing in drawings]
            layouts = [_layout(e.scene) == _layout(s) for e, s in zip(examples, seen, strict=True)]
            fits = [_criterion(e).fits(scene) for e, scene in zip(examples, seen, strict=True)]
            both = [layout and fit for layout, fit in zip(layouts, fits, strict=True)]
            report.scores += [success_score(row, both), success_score(row, layouts, "layout")]
            report.scores += _fidelity(row, control, examples, drawings)
            report.show(examples, drawings, plan.exhibits)
    return report


def judge_pairs(generator: PictureGenerator, plan: EvaluationPlan) -> SectionReport:
    """Success: the picture matches the words. `psnr_db of the map`: the map matches the drawn picture."""
    report = SectionReport()
    for split in SPLITS:
        for control in CONTROLS:
            row = Row("image pair", control, split)
            sample = partial(_sample_pair, control=control, split=split, cells=plan.cells)
            examples, drawings = plan.ask(generator, row, sample)
            seen = [recognise(drawing.picture) for drawing in drawings]
            fits = [_criterion(e).fits(scene) for e, scene in zip(examples, seen, strict=True)]
            agreement = [_map_agreement(d, s, control) for d, s in zip(drawings, seen, strict=True)]
            report.scores += [success_score(row, fits), mean_score(row, "psnr_db of the map", agreement)]
            report.show(examples, drawings, plan.exhibits)
    return report


def _fidelity(
    row: Row, control: MapKind, examples: list[TrainingExample], drawings: list[Drawing]
) -> list[Score]:
    """Similarity of the drawn picture's map to the given map, for maps that a picture determines."""
    pairs = list(zip(examples, drawings, strict=True))
    match control:
        case MapKind.DEPTH:
            return [mean_score(row, "abs_rel", [_depth_error(e, d) for e, d in pairs])]
        case MapKind.EDGES | MapKind.HED:
            f1 = [edge_f1(object_edges(d.picture), edge_map(e.scene)) for e, d in pairs]
            return [mean_score(row, "f1", f1)]
        case MapKind.POSE | MapKind.SEGMENTATION:
            return []


def _depth_error(example: TrainingExample, drawing: Drawing) -> float:
    """Relative error of the depth of the recognised scene, on the true objects' pixels."""
    truth = depth_map(example.scene).astype(np.float64)
    drawn = depth_map(recognise(drawing.picture)).astype(np.float64)
    return relative_error(drawn, truth, owner_map(example.scene) >= 0)


def _map_agreement(drawing: Drawing, seen: Scene, control: MapKind) -> float:
    """PSNR between the drawn map and the exact map of the scene recognised in the drawn picture."""
    if drawing.partner is None:
        raise ValueError("the generator drew no second panel for an image pair")
    return psnr(drawing.partner, render_map(seen, control))


def _layout(scene: Scene) -> list[tuple[str, str, int, int]]:
    return sorted((item.kind, item.size, item.row, item.column) for item in scene.objects)


def _shows_subject(example: TrainingExample, seen: Scene) -> bool:
    """Whether any object has the subject's kind, colour and size."""
    subject = _criterion(example).mentions[0]
    return any(
        (item.kind, item.colour, item.size) == (subject.kind, subject.colour, subject.size)
        for item in seen.objects
    )


def _criterion(example: TrainingExample) -> Description:
    if example.criterion is None:
        raise ValueError(f"a {example.task} example without a criterion")
    return example.criterion


def _sample_subject(rng: Generator, split: Split, cells: int) -> TrainingExample:
    return subject_example(rng, split, cells=cells)


def _sample_control(rng: Generator, control: MapKind, split: Split, cells: int) -> TrainingExample:
    return control_example(rng, control, split, cells=cells)


def _sample_pair(rng: Generator, control: MapKind, split: Split, cells: int) -> TrainingExample:
    return image_pair_example(rng, control, split, cells=cells)
