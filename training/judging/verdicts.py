"""Verdicts on single pictures: whether an edit was made, and whether a scene is shown exactly."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.judging.metrics import psnr, worst_cell
from training.judging.recognition import recognise
from training.scenes.chains import EditStep
from training.scenes.edits import EditKind
from training.scenes.rendering import Picture, render
from training.scenes.scene import Scene

KEPT_CELL_ERROR: Final = 40.0
"""Maximum root mean square error of a kept cell, in grey levels.

A Gaussian blur of one pixel with noise at 30 dB gives less than 38; half of all wrong cells give over 50.
"""


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
    """Compare a picture with the exact result of one edit.

    The kept part consists of all pixels that the edit does not change: every cell of it must look as before,
    and its objects must be recognised.
    """
    seen = recognise(picture)
    before, after = render(step.before), render(step.after)
    kept = (before == after).all(axis=2)
    staying = [item for item in step.after.objects if item != step.edit.after]
    same_background = step.edit.kind is EditKind.BACKGROUND or seen.background is step.before.background
    objects_kept = not Counter(staying) - Counter(seen.objects)
    nothing_else = len(seen.objects) <= len(step.after.objects)
    looks_kept = worst_cell(picture, after, kept) <= KEPT_CELL_ERROR
    return EditVerdict(
        change_made=_change_made(seen, step),
        rest_kept=same_background and objects_kept and nothing_else and looks_kept,
        kept_psnr=psnr(picture, after, kept),
    )


def shows_exactly(picture: Picture, scene: Scene) -> bool:
    """Whether a picture shows all objects of a scene, no others, and no cell that looks different."""
    if recognise(picture) != scene:
        return False
    everywhere = np.ones(picture.shape[:2], np.bool_)
    return worst_cell(picture, render(scene), everywhere) <= KEPT_CELL_ERROR


def _change_made(seen: Scene, step: EditStep) -> bool:
    """Whether the new background or object is there and the old object is gone."""
    edit = step.edit
    if edit.background is not None:
        return seen.background is edit.background
    gone = edit.before is None or edit.before not in seen.objects
    return gone and (edit.after is None or edit.after in seen.objects)
