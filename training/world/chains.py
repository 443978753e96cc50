"""Single edits and chains of edits, each with its instruction and its exact scenes."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from numpy.random import Generator

from training.world.descriptions import Mention
from training.world.edits import Change, EditKind, draw_change
from training.world.instructions import instruction, nothing_to_do
from training.world.layout import draw_look, draw_scene, kinds_in, pick, weighted
from training.world.nouns import KINDS
from training.world.scene import Canvas, Scene
from training.world.splits import Split, is_new_scene

LONGEST_CHAIN: Final = 5


class StepKind(StrEnum):
    """Kind of an edit: one change, two at once, one that leads back, or one that finds nothing to change."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    RECOLOUR = "recolour"
    REPATTERN = "repattern"
    RESIZE = "resize"
    MOVE = "move"
    SWAP = "swap"
    SCENERY = "scenery"
    TIME = "time of day"
    WEATHER = "weather"
    TWO = "two changes"
    BACK = "back to the earlier"
    NOTHING = "nothing to change"


STEP_SHARES: Final[dict[StepKind, float]] = {
    StepKind.ADD: 0.12,
    StepKind.REMOVE: 0.12,
    StepKind.REPLACE: 0.12,
    StepKind.RECOLOUR: 0.08,
    StepKind.REPATTERN: 0.06,
    StepKind.RESIZE: 0.08,
    StepKind.MOVE: 0.12,
    StepKind.SWAP: 0.06,
    StepKind.SCENERY: 0.04,
    StepKind.TIME: 0.03,
    StepKind.WEATHER: 0.03,
    StepKind.TWO: 0.08,
    StepKind.BACK: 0.03,
    StepKind.NOTHING: 0.03,
}
"""Share of each kind of edit in training; those that leave much beside neighbours are learned slowest."""

_SIMPLE: Final = tuple(EditKind)
_INTRODUCES_COMBINATION: Final = {StepKind.ADD, StepKind.REPLACE, StepKind.RECOLOUR}
"""Edits that can lead from a scene of the training split to a held-out one."""
_TRIES: Final = 30


@dataclass(frozen=True, slots=True)
class EditStep:
    """One edit: the scene before, the instruction, its changes, and the exact scene after."""

    kind: StepKind
    before: Scene
    instruction: str
    changes: tuple[Change, ...]
    after: Scene


def sample_step(rng: Generator, split: Split, canvas: Canvas, *, kind: StepKind | None = None) -> EditStep:
    """One edit of a random scene; a held-out edit leads to a scene that training never shows."""
    while True:
        wanted = weighted(rng, STEP_SHARES) if kind is None else kind
        start: Split = "train" if wanted in _INTRODUCES_COMBINATION else split
        scene = draw_scene(rng, start, canvas, overlap=False)
        step = _try_step(rng, scene, wanted, split)
        if step is not None:
            return step


def sample_chain(rng: Generator, length: int, split: Split, canvas: Canvas) -> tuple[EditStep, ...]:
    """`length` edits in a row; each starts from the scene after the previous one."""
    steps = [sample_step(rng, split, canvas)]
    while len(steps) < length:
        kind = weighted(rng, STEP_SHARES)
        allowed = "train" if split == "train" else None
        before = steps[-1].after
        if kind is StepKind.BACK:
            step = _step_back(rng, pick(rng, steps), before)
        else:
            step = _try_step(rng, before, kind, allowed)
        if step is not None:
            steps.append(step)
    return tuple(steps)


def _try_step(rng: Generator, scene: Scene, kind: StepKind, split: Split | None) -> EditStep | None:
    """A random edit, or None if its result is not in the split. None as split allows any result."""
    match kind:
        case StepKind.NOTHING:
            step = _idle(rng, scene)
        case StepKind.TWO:
            step = _two(rng, scene)
        case StepKind.BACK:
            first = _one(rng, scene, pick(rng, _SIMPLE), new=False)
            step = None if first is None else _step_back(rng, first, first.after)
        case _:
            brings_new = (
                split == "held_out" and kind in {StepKind.ADD, StepKind.REPLACE} and rng.random() < 0.5
            )
            step = _one(rng, scene, EditKind(kind), new=brings_new)
    if step is None or (split is not None and is_new_scene(step.after) != (split == "held_out")):
        return None
    if split == "train" and is_new_scene(step.before):
        return None
    return step


def _one(rng: Generator, scene: Scene, kind: EditKind, *, new: bool) -> EditStep | None:
    change = draw_change(rng, kind, scene, new=new)
    if change is None:
        return None
    return EditStep(StepKind(kind), scene, instruction(rng, (change,), scene), (change,), change.apply(scene))


def _two(rng: Generator, scene: Scene) -> EditStep | None:
    """Two changes in one instruction, of different things or of a thing and the setting."""
    first = draw_change(rng, pick(rng, _SIMPLE), scene)
    if first is None or first.is_anywhere:
        return None
    middle = first.apply(scene)
    for _ in range(_TRIES):
        second = draw_change(rng, pick(rng, _SIMPLE), middle)
        if second is None or second.is_anywhere or not _are_independent(first, second, scene):
            continue
        changes = (first, second)
        return EditStep(StepKind.TWO, scene, instruction(rng, changes, scene), changes, second.apply(middle))
    return None


def _are_independent(first: Change, second: Change, scene: Scene) -> bool:
    """Whether both changes can be said about the scene before, and neither touches what the other makes."""
    touched = {*first.gone, *first.come}
    named = {*second.gone, *((second.beside[1],) if second.beside else ())}
    if touched & named or (first.setting is not None and second.setting is not None):
        return False
    return named <= set(scene.things)


def _step_back(rng: Generator, earlier: EditStep, scene: Scene) -> EditStep | None:
    """An edit that takes one change of an earlier step back, if the scene still shows what it made."""
    if len(earlier.changes) != 1:
        return None
    (made,) = earlier.changes
    change = made.reverse(earlier.before)
    if change.setting is not None:
        change = _only_what_changed(change, made, scene)
    if change is None or not set(change.gone) <= set(scene.things):
        return None
    after = change.apply(scene)
    if after == scene or _collides(change, scene):
        return None
    text = instruction(rng, (change,), scene, back=True)
    return EditStep(StepKind.BACK, scene, text, (change,), after)


def _only_what_changed(change: Change, made: Change, scene: Scene) -> Change | None:
    """The change of scenery, time or weather alone, for a setting that may have changed since."""
    earlier, now = change.setting, scene.setting
    if earlier is None or made.setting is None:
        return None
    part = {EditKind.SCENERY: "scenery", EditKind.TIME: "time", EditKind.WEATHER: "weather"}[change.kind]
    if getattr(now, part) is not getattr(made.setting, part):
        return None
    return replace(change, setting=replace(now, **{part: getattr(earlier, part)}))


def _collides(change: Change, scene: Scene) -> bool:
    rest = [item for item in scene.things if item not in change.gone]
    return any(
        item.overlaps(other) or (item.kind, item.colour) == (other.kind, other.colour)
        for item in change.come
        for other in rest
    )


def _idle(rng: Generator, scene: Scene) -> EditStep:
    """An instruction about a kind that the scene does not show."""
    others = [kind for kind in KINDS if kind not in kinds_in(scene)]
    kind = pick(rng, others)
    colour = draw_look(rng).colour if rng.random() < 0.3 else None
    return EditStep(StepKind.NOTHING, scene, nothing_to_do(rng, Mention(kind, colour)), (), scene)
