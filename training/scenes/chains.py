"""Single edits and chains of edits, each with its instruction and its exact scenes."""

from dataclasses import dataclass
from typing import Final

from numpy.random import Generator

from training.scenes.edits import Edit, EditKind, draw_edit
from training.scenes.layout import draw_scene, pick
from training.scenes.scene import DEFAULT_CELLS, Scene
from training.scenes.splits import Split, is_new_scene
from training.scenes.wording import instruction

LONGEST_CHAIN: Final = 4
EDIT_KINDS: Final = tuple(EditKind)

_INTRODUCES_COMBINATION: Final = {EditKind.ADD, EditKind.REPLACE, EditKind.RECOLOUR}
"""Edits that can lead from a scene of the training split to a held-out one."""


@dataclass(frozen=True, slots=True)
class EditStep:
    """One edit: the scene before, the instruction, the change, and the exact scene after."""

    before: Scene
    instruction: str
    edit: Edit
    after: Scene


def sample_step(
    rng: Generator,
    split: Split,
    *,
    kind: EditKind | None = None,
    cells: int = DEFAULT_CELLS,
) -> EditStep:
    """One edit of a random scene; a held-out edit leads to a scene that training never shows."""
    while True:
        wanted = pick(rng, EDIT_KINDS) if kind is None else kind
        start = "train" if wanted in _INTRODUCES_COMBINATION else split
        scene = draw_scene(rng, start, overlap=False, cells=cells)
        step = _try_step(rng, scene, wanted, split)
        if step is not None:
            return step


def sample_chain(
    rng: Generator, length: int, split: Split, *, cells: int = DEFAULT_CELLS
) -> tuple[EditStep, ...]:
    """`length` edits in a row; each starts from the scene after the previous one."""
    steps = [sample_step(rng, split, cells=cells)]
    while len(steps) < length:
        step = _try_step(rng, steps[-1].after, pick(rng, EDIT_KINDS), "train" if split == "train" else None)
        if step is not None:
            steps.append(step)
    return tuple(steps)


def _try_step(rng: Generator, scene: Scene, kind: EditKind, split: Split | None) -> EditStep | None:
    """A random edit, or None if its result is not in the split. None as split allows any result."""
    brings_new = split == "held_out" and kind in {EditKind.ADD, EditKind.REPLACE} and rng.random() < 0.5
    edit = draw_edit(rng, kind, scene, new=brings_new)
    if edit is None:
        return None
    after = edit.apply(scene)
    if not after.objects or (split is not None and is_new_scene(after) != (split == "held_out")):
        return None
    return EditStep(scene, instruction(rng, edit, scene), edit, after)
