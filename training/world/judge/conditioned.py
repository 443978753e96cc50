"""Tasks with a condition: subjects, control by a map, and image pairs of a picture and its map."""

from functools import partial

import numpy as np
from numpy.random import Generator

from shared.tasks import MapKind
from training.judging.generator import Drawing, PictureGenerator
from training.judging.metrics import edge_f1, psnr, relative_error
from training.judging.plan import SPLITS, SectionReport
from training.judging.scores import Row, Score, mean_score, success_score
from training.scenes.splits import Split
from training.world.descriptions import Description
from training.world.examples import (
    CONTROLS,
    WorldExample,
    control_example,
    image_pair_example,
    subject_example,
)
from training.world.judge.map_reading import read_lines
from training.world.judge.plan import WorldPlan
from training.world.judge.recognition import recognise
from training.world.maps import depth_map, owner_map, render_map, shown_in
from training.world.scene import Canvas, Scene


def judge_subjects(generator: PictureGenerator, plan: WorldPlan) -> SectionReport:
    """`subject kept`: a thing has the subject's kind, colour, pattern and size. Success: all words match."""
    report = SectionReport()
    for split in SPLITS:
        row = Row("subject", "overall", split)
        sample = partial(_sample_subject, split=split, canvas=plan.canvas)
        examples, drawings = plan.ask(generator, row, sample)
        seen = [recognise(drawing.picture) for drawing in drawings]
        kept = [_shows_subject(e, scene) for e, scene in zip(examples, seen, strict=True)]
        fits = [_criterion(e).fits(scene) for e, scene in zip(examples, seen, strict=True)]
        report.scores += [success_score(row, fits), success_score(row, kept, "subject kept")]
        report.show(examples, drawings, plan.exhibits)
    return report


def judge_controls(generator: PictureGenerator, plan: WorldPlan) -> SectionReport:
    """`layout`: kinds, sizes and positions match the map. Success: the words match, too.

    Fidelity compares the given map with the map of the scene that is recognised in the drawn picture.
    """
    report = SectionReport()
    for split in SPLITS:
        for control in CONTROLS:
            row = Row("control", control, split)
            sample = partial(_sample_control, control=control, split=split, canvas=plan.canvas)
            examples, drawings = plan.ask(generator, row, sample)
            seen = [recognise(drawing.picture) for drawing in drawings]
            pairs = list(zip(examples, seen, strict=True))
            layouts = [_layout(e.scene, control) == _layout(s, control) for e, s in pairs]
            fits = [_criterion(e).fits(s) for e, s in pairs]
            both = [layout and fit for layout, fit in zip(layouts, fits, strict=True)]
            report.scores += [success_score(row, both), success_score(row, layouts, "layout")]
            report.scores.append(_fidelity(row, control, pairs))
            report.show(examples, drawings, plan.exhibits)
    return report


def judge_pairs(generator: PictureGenerator, plan: WorldPlan) -> SectionReport:
    """Success: the picture matches the words. `psnr_db of the map`: the map matches the drawn picture."""
    report = SectionReport()
    for split in SPLITS:
        for control in CONTROLS:
            row = Row("image pair", control, split)
            sample = partial(_sample_pair, control=control, split=split, canvas=plan.canvas)
            examples, drawings = plan.ask(generator, row, sample)
            seen = [recognise(drawing.picture) for drawing in drawings]
            fits = [_criterion(e).fits(scene) for e, scene in zip(examples, seen, strict=True)]
            agreement = [_map_agreement(d, s, control) for d, s in zip(drawings, seen, strict=True)]
            report.scores += [success_score(row, fits), mean_score(row, "psnr_db of the map", agreement)]
            report.show(examples, drawings, plan.exhibits)
    return report


def _fidelity(row: Row, control: MapKind, pairs: list[tuple[WorldExample, Scene]]) -> Score:
    if control is MapKind.DEPTH:
        return mean_score(row, "abs_rel", [_depth_error(e.scene, seen) for e, seen in pairs])
    lines = [
        edge_f1(read_lines(render_map(seen, control)), read_lines(render_map(e.scene, control)))
        for e, seen in pairs
    ]
    return mean_score(row, "f1", lines)


def _depth_error(scene: Scene, seen: Scene) -> float:
    """Relative error of the depth of the recognised scene, on the true things' pixels."""
    truth, drawn = (depth_map(each).astype(np.float64) for each in (scene, seen))
    return relative_error(drawn, truth, owner_map(scene) >= 0)


def _map_agreement(drawing: Drawing, seen: Scene, control: MapKind) -> float:
    """PSNR between the drawn map and the exact map of the scene recognised in the drawn picture."""
    if drawing.partner is None:
        raise ValueError("the generator drew no second panel for an image pair")
    return psnr(drawing.partner, render_map(seen, control))


def _layout(scene: Scene, control: MapKind) -> list[tuple[str, str, int, int]]:
    """What the map says about each thing that it shows."""
    return sorted((item.kind, item.size, item.row, item.column) for item in shown_in(scene, control))


def _shows_subject(example: WorldExample, seen: Scene) -> bool:
    """Whether any thing looks like the given subject."""
    if example.given_scene is None:
        raise ValueError("a subject example without its subject")
    (subject,) = example.given_scene.things
    return any(item.look == subject.look for item in seen.things)


def _criterion(example: WorldExample) -> Description:
    if example.criterion is None:
        raise ValueError(f"a {example.task} example without a criterion")
    return example.criterion


def _sample_subject(rng: Generator, split: Split, canvas: Canvas) -> WorldExample:
    return subject_example(rng, split, canvas)


def _sample_control(rng: Generator, control: MapKind, split: Split, canvas: Canvas) -> WorldExample:
    return control_example(rng, control, split, canvas)


def _sample_pair(rng: Generator, control: MapKind, split: Split, canvas: Canvas) -> WorldExample:
    return image_pair_example(rng, control, split, canvas)
