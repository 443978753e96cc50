"""Edits of a scene, each with the exact scene that results."""

from dataclasses import dataclass, replace
from enum import StrEnum

from numpy.random import Generator

from training.scenes.layout import MOST_OBJECTS, draw_object, pick
from training.scenes.scene import Scene, SceneObject
from training.scenes.world import COLOURS, PLACES, SCENERIES, Background


class EditKind(StrEnum):
    """Kind of an edit."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    RECOLOUR = "recolour"
    MOVE = "move"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a scene.

    before, after: the object that is changed. ADD has no `before`, REMOVE no `after`; BACKGROUND has neither,
    but has `background`.
    """

    kind: EditKind
    before: SceneObject | None = None
    after: SceneObject | None = None
    background: Background | None = None

    def apply(self, scene: Scene) -> Scene:
        """The scene after the edit; everything else stays as it is."""
        objects = [item for item in scene.objects if item != self.before]
        if self.after is not None:
            objects.append(self.after)
        return Scene.of(self.background or scene.background, objects, scene.cells)


def draw_edit(rng: Generator, kind: EditKind, scene: Scene, *, new: bool = False) -> Edit | None:
    """A random edit of this kind, or None if the drawn edit is not possible in the scene.

    Objects of the result differ in kind or colour and do not overlap.
    new: whether an added object must be a held-out pair of kind and colour.
    """
    if kind is EditKind.BACKGROUND:
        others = [background for background in SCENERIES if background is not scene.background]
        return Edit(kind, background=pick(rng, others))
    if kind is EditKind.ADD:
        if len(scene.objects) >= MOST_OBJECTS:
            return None
        arrival = draw_object(rng, new=new).at(pick(rng, PLACES), scene.cells)
        return _fitting(Edit(kind, after=arrival), scene)
    if not scene.objects:
        return None
    target = pick(rng, scene.objects)
    match kind:
        case EditKind.REMOVE:
            return Edit(kind, before=target)
        case EditKind.REPLACE:
            other = draw_object(rng, new=new)
            after = replace(target, kind=other.kind, colour=other.colour)
            changed = after.kind is not target.kind
        case EditKind.RECOLOUR:
            after = replace(target, colour=pick(rng, COLOURS))
            changed = after.colour is not target.colour
        case EditKind.MOVE:
            after = target.at(pick(rng, PLACES), scene.cells)
            changed = after != target
    return _fitting(Edit(kind, before=target, after=after), scene) if changed else None


def _fitting(edit: Edit, scene: Scene) -> Edit | None:
    """The edit, or None if its new object overlaps another one or has its kind and colour."""
    if edit.after is None:
        return edit
    for other in scene.objects:
        if other == edit.before:
            continue
        if edit.after.overlaps(other):
            return None
        if (edit.after.kind, edit.after.colour) == (other.kind, other.colour):
            return None
    return edit
