"""Edits with their inverse, and rows of edits, in the scene world of models/tiny.

Only edits of one object are drawn: their masks leave most of the picture outside.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.chains import EditStep
from training.scenes.edits import Edit, EditKind, draw_edit
from training.scenes.layout import draw_scene, pick
from training.scenes.rendering import render
from training.scenes.scene import Scene
from training.scenes.wording import instruction
from training.scenes.world import CELL

KINDS = tuple(kind for kind in EditKind if kind is not EditKind.BACKGROUND)
INVERSE_KINDS = {EditKind.ADD: EditKind.REMOVE, EditKind.REMOVE: EditKind.ADD}
Cells = NDArray[np.bool_]
"""[rows, columns] of booleans."""


@dataclass(frozen=True)
class RoundTrip:
    """An edit and the edit that takes it back, with the cells that either of them changes."""

    there: EditStep
    back: EditStep

    @property
    def changed(self) -> Cells:
        """The mask of both edits: it is the same, because they change the same pixels."""
        return changed_cells(self.there)


def sample_round_trip(rng: Generator) -> RoundTrip:
    """A random edit of a random scene, and its inverse, which leads back to that scene."""
    there = sample_local_step(rng, draw_scene(rng, "held_out", overlap=False))
    undone = inverse(there.edit)
    back = EditStep(there.after, instruction(rng, undone, there.after), undone, undone.apply(there.after))
    return RoundTrip(there, back)


def sample_row(rng: Generator, length: int) -> list[EditStep]:
    """`length` edits in a row; each starts from the scene after the previous one."""
    scene = draw_scene(rng, "held_out", overlap=False)
    steps: list[EditStep] = []
    while len(steps) < length:
        steps.append(sample_local_step(rng, scene))
        scene = steps[-1].after
    return steps


def sample_local_step(rng: Generator, scene: Scene) -> EditStep:
    """A random edit of one object, after which the scene still has an object."""
    while True:
        edit = draw_edit(rng, pick(rng, KINDS), scene)
        after = None if edit is None else edit.apply(scene)
        if edit is not None and after is not None and after.objects:
            return EditStep(scene, instruction(rng, edit, scene), edit, after)


def inverse(edit: Edit) -> Edit:
    """The edit that takes an edit of one object back."""
    return replace(edit, kind=INVERSE_KINDS.get(edit.kind, edit.kind), before=edit.after, after=edit.before)


def changed_cells(step: EditStep) -> Cells:
    """The cells of which an edit changes at least one pixel."""
    pixels = (render(step.before) != render(step.after)).any(axis=2)
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    cells: Cells = pixels.reshape(rows, CELL, columns, CELL).any(axis=(1, 3))
    return cells
