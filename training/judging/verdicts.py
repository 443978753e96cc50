"""Whether one picture is what was asked for."""

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
"""Root mean square error in grey levels that a kept token cell may have at most.

A Gaussian blur of one pixel with noise at 30 dB stays below 38; half of all single wrong cells lie above 50.
"""


@dataclass(frozen=True, slots=True)
class EditVerdict:
    """An edit succeeds if the change was made and all the rest was kept."""

    change_made: bool
    rest_kept: bool
    kept_psnr: float

    @property
    def success(self) -> bool:
        """Both halves together."""
        return self.change_made and self.rest_kept


def judge_edit(picture: Picture, step: EditStep) -> EditVerdict:
    """Compare a picture with the exact result of one edit.

    The kept part is every pixel that the edit leaves as it was; it must look as before, cell by cell,
    and the objects in it must be recognised.
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
    """Whether a picture is this scene: every object, nothing else, and no cell far from its looks."""
    if recognise(picture) != scene:
        return False
    everywhere = np.ones(picture.shape[:2], np.bool_)
    return worst_cell(picture, render(scene), everywhere) <= KEPT_CELL_ERROR


def _change_made(seen: Scene, step: EditStep) -> bool:
    """Whether what had to go is gone and what had to come is there."""
    edit = step.edit
    if edit.background is not None:
        return seen.background is edit.background
    gone = edit.before is None or edit.before not in seen.objects
    return gone and (edit.after is None or edit.after in seen.objects)
