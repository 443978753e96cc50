"""Verdicts on single pictures: whether an edit was made, and whether a scene is shown exactly."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from training.judging.metrics import psnr, worst_cell
from training.world.chains import EditStep
from training.world.edits import Change
from training.world.judge.recognition import recognise
from training.world.rendering import Picture, render
from training.world.scene import Scene, Thing

KEPT_CELL_ERROR: Final = 40.0
"""Maximum root mean square error of a kept cell, in grey levels; half of all wrong cells give over 50."""


@dataclass(frozen=True, slots=True)
class EditVerdict:
    """An edit succeeds if the change was made and everything else was kept."""

    change_made: bool
    rest_kept: bool
    kept_psnr: float

    @property
    def success(self) -> bool:
        """Whether the change was made and the rest kept."""
        return self.change_made and self.rest_kept


def judge_edit(picture: Picture, step: EditStep) -> EditVerdict:
    """Compare a picture with the result of one edit.

    If the instruction leaves the place or a property of a new thing open, the result has the thing as it was
    drawn. The kept part consists of all pixels that the edit does not change: every cell of it must look as
    before, its things must be recognised, and there must be no others.
    """
    seen = recognise(picture)
    expected = as_drawn(step, seen)
    before, after = render(step.before), render(expected)
    kept = (before == after).all(axis=2)
    coming = [item for change in step.changes for item in change.come]
    staying = [item for item in step.after.things if item not in coming]
    objects_kept = not Counter(staying) - Counter(seen.things)
    nothing_else = len(seen.things) <= len(expected.things)
    looks_kept = not kept.any() or worst_cell(picture, after, kept) <= KEPT_CELL_ERROR
    return EditVerdict(
        change_made=_change_made(seen, expected, step),
        rest_kept=objects_kept and nothing_else and looks_kept,
        kept_psnr=psnr(picture, after, kept) if kept.any() else psnr(picture, after),
    )


def shows_exactly(picture: Picture, scene: Scene) -> bool:
    """Whether a picture shows all things of a scene, no others, and no cell that looks different."""
    if recognise(picture) != scene:
        return False
    everywhere = np.ones(picture.shape[:2], np.bool_)
    return worst_cell(picture, render(scene), everywhere) <= KEPT_CELL_ERROR


def as_drawn(step: EditStep, seen: Scene) -> Scene:
    """The scene after the edit; a thing of which the words leave something open is taken from the picture.

    If the picture shows no thing that fits the words, it is the scene of the example.
    """
    scene = step.before
    for change in step.changes:
        scene = _as_drawn(change, scene, seen).apply(scene)
    return scene


def _as_drawn(change: Change, scene: Scene, seen: Scene) -> Change:
    if change.said is None:
        return change
    (example,) = change.come
    others = Counter(scene.things)
    new = [item for item in (Counter(seen.things) - others).elements() if _fits(change, item, example, scene)]
    return replace(change, come=(new[0],)) if new else change


def _fits(change: Change, item: Thing, example: Thing, scene: Scene) -> bool:
    """Whether a drawn thing is what the words of an added thing ask for."""
    said = change.said
    if said is None or not said.means(item, scene.canvas):
        return False
    if said.pattern is None and item.pattern is not example.pattern:
        return False
    if any(item.overlaps(other) for other in scene.things):
        return False
    if change.beside is None:
        return True
    return item.slot(scene.canvas) == example.slot(scene.canvas)


def _change_made(seen: Scene, expected: Scene, step: EditStep) -> bool:
    """Whether the setting is right, new things are there and old ones gone."""
    if seen.setting != expected.setting:
        return False
    change = Counter(expected.things) - Counter(step.before.things)
    gone = Counter(step.before.things) - Counter(expected.things)
    return not change - Counter(seen.things) and not gone & Counter(seen.things)
