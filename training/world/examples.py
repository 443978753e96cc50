"""Training examples of every task, sampled from the larger world; pictures are drawn only when asked for."""

from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.tasks import MapKind, Task
from training.world.chains import EditStep, sample_step
from training.world.codes import PLAIN, label_cells
from training.world.descriptions import Description, Mention
from training.world.layout import (
    draw_looks,
    draw_novelty,
    draw_scene,
    draw_setting,
    pick,
    scatter,
    weighted,
)
from training.world.maps import render_map, shown_in
from training.world.nouns import Pattern
from training.world.prompts import Row, said_of_setting, sample_description, sample_prompt
from training.world.rendering import Picture, render
from training.world.scene import Canvas, Scene, Thing, place_of
from training.world.splits import Split
from training.world.wording import caption, subject_caption

CONTROLS: Final = (MapKind.DEPTH, MapKind.EDGES, MapKind.HED, MapKind.POSE)
TARGETS: Final = (MapKind.DEPTH, MapKind.SEGMENTATION, MapKind.EDGES, MapKind.HED, MapKind.POSE)

MIXTURE: Final[dict[Task, float]] = {
    Task.EDIT: 0.42,
    Task.TEXT_TO_IMAGE: 0.32,
    Task.CONTROL: 0.08,
    Task.DENSE: 0.06,
    Task.SUBJECT: 0.07,
    Task.IMAGE_PAIR: 0.05,
}
"""Share of each task. Edits are learned slowest, because everything else must be copied exactly."""

PROMPT_ROWS: Final[dict[Row, float]] = {
    Row.SINGLE_OBJECT: 0.05,
    Row.TWO_OBJECTS: 0.11,
    Row.COUNTING: 0.12,
    Row.COLOURS: 0.04,
    Row.POSITION: 0.18,
    Row.COLOUR_ATTRIBUTION: 0.15,
    Row.PATTERN: 0.06,
    Row.SIZE: 0.04,
    Row.PLACE: 0.06,
    Row.SETTING: 0.05,
    Row.ABSENCE: 0.03,
    Row.WHOLE_SCENE: 0.11,
}
"""Share of each row among text-to-image prompts; harder rows have larger shares."""


@dataclass(frozen=True)
class WorldExample:
    """One example: the prompt, the given picture, and the picture that the model should draw.

    prompt:   the user's words; empty for a dense prediction, which needs only `target`.
    scene:    the scene that the result shows; for a dense prediction, the scene of the map.
    given_scene: the scene of the given picture or map; None if only text is given.
    control:  the kind of the map that is given (control) or drawn below the picture (image pair).
    target:   the kind of the map to draw (dense).
    criterion: the description that a judge checks the picture against; None if another check is used.
    step:     the edit, for the task `edit`.
    """

    task: Task
    prompt: str
    scene: Scene
    given_scene: Scene | None = None
    control: MapKind | None = None
    target: MapKind | None = None
    criterion: Description | None = None
    step: EditStep | None = None

    @property
    def canvas(self) -> Canvas:
        """Size of each panel."""
        return self.scene.canvas

    @property
    def result(self) -> Picture:
        """The picture or map to draw."""
        return render(self.scene) if self.target is None else render_map(self.scene, self.target)

    @property
    def given(self) -> Picture | None:
        """The upper panel, if one is given."""
        if self.given_scene is None:
            return None
        if self.task is Task.CONTROL and self.control is not None:
            return render_map(self.given_scene, self.control)
        return render(self.given_scene)

    @property
    def partner(self) -> Picture | None:
        """The lower panel of an image pair: the map of the result, which the model draws, too."""
        if self.task is Task.IMAGE_PAIR and self.control is not None:
            return render_map(self.scene, self.control)
        return None

    @property
    def given_codes(self) -> NDArray[np.int64] | None:
        """The exact codes of the given panel."""
        if self.given_scene is None:
            return None
        return label_cells(self.given_scene, self.control if self.task is Task.CONTROL else None)

    @property
    def drawn_codes(self) -> NDArray[np.int64]:
        """The exact codes of everything that the model draws; of an image pair both panels."""
        result = label_cells(self.scene, self.target)
        if self.task is Task.IMAGE_PAIR:
            return np.concatenate([result, label_cells(self.scene, self.control)])
        return result


def sample_example(
    rng: Generator, canvas: Canvas, task: Task | None = None, split: Split = "train"
) -> WorldExample:
    """One random example of a task, or of a task drawn from `MIXTURE`.

    All randomness comes from `rng`: equal generators give equal examples.
    """
    task = weighted(rng, MIXTURE) if task is None else task
    match task:
        case Task.TEXT_TO_IMAGE:
            return text_to_image_example(rng, weighted(rng, PROMPT_ROWS), split, canvas)
        case Task.IMAGE_PAIR:
            return image_pair_example(rng, pick(rng, CONTROLS), split, canvas)
        case Task.SUBJECT:
            return subject_example(rng, split, canvas)
        case Task.CONTROL:
            return control_example(rng, pick(rng, CONTROLS), split, canvas)
        case Task.EDIT:
            return edit_example(sample_step(rng, split, canvas))
        case Task.DENSE:
            return dense_example(rng, pick(rng, TARGETS), split, canvas)
    assert_never(task)


def text_to_image_example(rng: Generator, row: Row, split: Split, canvas: Canvas) -> WorldExample:
    """A prompt of this row and a matching picture."""
    case = sample_prompt(rng, row, split, canvas)
    return WorldExample(Task.TEXT_TO_IMAGE, case.prompt, case.scene, criterion=case.criterion)


def subject_example(rng: Generator, split: Split, canvas: Canvas) -> WorldExample:
    """A thing alone on a plain ground, and the same thing in a scene, sometimes with a second one."""
    count = 1 if rng.random() < 0.7 else 2
    while True:
        looks = draw_looks(rng, count, draw_novelty(rng, split, count))
        if len({look.kind for look in looks}) == count:
            break
    scene = Scene.of(draw_setting(rng), placed := scatter(rng, looks, canvas), canvas)
    subject, *others = placed
    place = place_of(subject, canvas) if rng.random() < 0.5 else None
    mentions = (
        Mention(subject.kind, subject.colour, subject.pattern, subject.size, place),
        *(_brief(item) for item in others),
    )
    criterion = said_of_setting(rng, Description(mentions), scene.setting, scenery=1.0)
    words = subject_caption(rng, criterion)
    return WorldExample(Task.SUBJECT, words, scene, given_scene=alone(subject, canvas), criterion=criterion)


def alone(subject: Thing, canvas: Canvas) -> Scene:
    """A thing in the middle of an empty picture."""
    size = subject.size.cells
    middle = Thing(subject.look, (canvas.rows - size) // 2, (canvas.columns - size) // 2)
    return Scene.of(PLAIN, [middle], canvas)


def control_example(rng: Generator, control: MapKind, split: Split, canvas: Canvas) -> WorldExample:
    """A map, a caption, and the picture that matches both."""
    said, scene = _described(rng, control, split, canvas)
    return WorldExample(
        Task.CONTROL, caption(rng, said), scene, given_scene=scene, control=control, criterion=said
    )


def edit_example(step: EditStep) -> WorldExample:
    """The picture before an edit, the instruction, and the picture after it."""
    return WorldExample(Task.EDIT, step.instruction, step.after, given_scene=step.before, step=step)


def dense_example(rng: Generator, target: MapKind, split: Split, canvas: Canvas) -> WorldExample:
    """A picture and its exact map."""
    while not shown_in(scene := draw_scene(rng, split, canvas), target):
        continue
    return WorldExample(Task.DENSE, "", scene, given_scene=scene, target=target)


def image_pair_example(rng: Generator, control: MapKind, split: Split, canvas: Canvas) -> WorldExample:
    """A caption, and the picture and its map, which the model both draws."""
    said, scene = _described(rng, control, split, canvas)
    return WorldExample(Task.IMAGE_PAIR, caption(rng, said), scene, control=control, criterion=said)


def _described(rng: Generator, control: MapKind, split: Split, canvas: Canvas) -> tuple[Description, Scene]:
    """A scene with its description; for a pose at least one animal is in it."""
    while True:
        said, scene = sample_description(rng, split, canvas)
        if shown_in(scene, control):
            return said, scene


def _brief(item: Thing) -> Mention:
    return Mention(item.kind, item.colour, None if item.pattern is Pattern.PLAIN else item.pattern)
