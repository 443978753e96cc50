"""Training examples of every task, sampled from the scene world."""

from dataclasses import dataclass
from typing import Final, TypeVar, assert_never

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.tasks import MapKind, Task
from training.scenes.cell_codes import label_cells
from training.scenes.chains import EditStep, sample_step
from training.scenes.descriptions import Description, Mention
from training.scenes.layout import draw_background, draw_novelty, draw_objects, draw_scene, pick, scatter
from training.scenes.maps import render_map
from training.scenes.prompts import Row, sample_description, sample_prompt
from training.scenes.rendering import Picture, render
from training.scenes.scene import DEFAULT_CELLS, Scene
from training.scenes.splits import Split
from training.scenes.wording import caption, subject_caption
from training.scenes.world import Background, Place

Choice = TypeVar("Choice")


CONTROLS: Final = (MapKind.DEPTH, MapKind.EDGES, MapKind.HED, MapKind.POSE)
TARGETS: Final = (MapKind.DEPTH, MapKind.SEGMENTATION, MapKind.EDGES)

MIXTURE: Final[dict[Task, float]] = {
    Task.EDIT: 0.4,
    Task.TEXT_TO_IMAGE: 0.28,
    Task.CONTROL: 0.1,
    Task.DENSE: 0.08,
    Task.SUBJECT: 0.08,
    Task.IMAGE_PAIR: 0.06,
}
"""Share of each task. Edits are learned slowest, because everything else must be copied exactly."""

PROMPT_ROWS: Final[dict[Row, float]] = {
    Row.SINGLE_OBJECT: 0.04,
    Row.TWO_OBJECTS: 0.12,
    Row.COUNTING: 0.16,
    Row.COLOURS: 0.04,
    Row.POSITION: 0.24,
    Row.COLOUR_ATTRIBUTION: 0.2,
    Row.PLACE: 0.04,
    Row.BACKGROUND: 0.04,
    Row.WHOLE_SCENE: 0.12,
}
"""Share of each row among text-to-image prompts; harder rows have larger shares."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One example: the prompt, the given picture, and the picture that the model should draw.

    prompt:   the user's words; empty for a dense prediction, which needs only `target`.
    scene:    the scene that `result` shows; for a dense prediction, the scene of the map.
    given:    the upper panel, if a picture is given; None if only text is given.
    partner:  the lower panel of an image pair: the map of `result`, which the model draws too.
    control:  the kind of the map that is given (control) or drawn below the picture (image_pair).
    target:   the kind of the map in `result` (dense).
    criterion: the description that a judge checks the picture against; None if another check is used.
    step:     the edit, for the task `edit`.
    given_scene: the scene of `given`, if it is not `scene`.
    """

    task: Task
    prompt: str
    scene: Scene
    result: Picture
    given: Picture | None = None
    partner: Picture | None = None
    control: MapKind | None = None
    target: MapKind | None = None
    criterion: Description | None = None
    step: EditStep | None = None
    given_scene: Scene | None = None

    @property
    def panels(self) -> tuple[Picture, ...]:
        """All pictures of the sequence from top to bottom."""
        if self.given is not None:
            return self.given, self.result
        return (self.result,) if self.partner is None else (self.result, self.partner)

    @property
    def panel_codes(self) -> tuple[NDArray[np.int64], ...]:
        """The exact codes of every panel: [cells, cells] each."""
        result = label_cells(self.scene, self.target)
        if self.given is not None:
            return label_cells(self.given_scene or self.scene, self.control), result
        return (result,) if self.partner is None else (result, label_cells(self.scene, self.control))


def sample_example(
    rng: Generator, task: Task | None = None, split: Split = "train", *, cells: int = DEFAULT_CELLS
) -> TrainingExample:
    """One random example of a task, or of a task drawn from `MIXTURE`.

    All randomness comes from `rng`: equal generators give equal examples.
    """
    task = _weighted(rng, MIXTURE) if task is None else task
    match task:
        case Task.TEXT_TO_IMAGE:
            return text_to_image_example(rng, _weighted(rng, PROMPT_ROWS), split, cells=cells)
        case Task.IMAGE_PAIR:
            return image_pair_example(rng, pick(rng, CONTROLS), split, cells=cells)
        case Task.SUBJECT:
            return subject_example(rng, split, cells=cells)
        case Task.CONTROL:
            return control_example(rng, pick(rng, CONTROLS), split, cells=cells)
        case Task.EDIT:
            return edit_example(sample_step(rng, split, cells=cells))
        case Task.DENSE:
            return dense_example(rng, pick(rng, TARGETS), split, cells=cells)
    assert_never(task)


def text_to_image_example(
    rng: Generator, row: Row, split: Split, *, cells: int = DEFAULT_CELLS
) -> TrainingExample:
    """A prompt of this row and a matching picture."""
    case = sample_prompt(rng, row, split, cells=cells)
    return TrainingExample(
        Task.TEXT_TO_IMAGE, case.prompt, case.scene, render(case.scene), criterion=case.criterion
    )


def subject_example(rng: Generator, split: Split, *, cells: int = DEFAULT_CELLS) -> TrainingExample:
    """An object alone on a plain background, and the same object in a scene, sometimes with a second one."""
    count = 1 if rng.random() < 0.7 else 2
    while True:
        objects = draw_objects(rng, count, draw_novelty(rng, split, count))
        placed = scatter(rng, objects, cells)
        if placed is not None and len({item.kind for item in placed}) == count:
            break
    scene = Scene.of(draw_background(rng), placed, cells)
    subject, *others = placed
    place = subject.place(cells) if rng.random() < 0.7 else None
    mentions = (
        Mention(subject.kind, subject.colour, subject.size, place),
        *(Mention(item.kind, item.colour) for item in others),
    )
    criterion = Description(mentions, background=scene.background)
    alone = Scene.of(Background.PLAIN, [subject.at(Place.MIDDLE, cells)], cells)
    words = subject_caption(rng, criterion)
    return TrainingExample(
        Task.SUBJECT, words, scene, render(scene), given=render(alone), criterion=criterion, given_scene=alone
    )


def control_example(
    rng: Generator, control: MapKind, split: Split, *, cells: int = DEFAULT_CELLS
) -> TrainingExample:
    """A map, a caption, and the picture that matches both."""
    said, scene = sample_description(rng, split, cells)
    return TrainingExample(
        Task.CONTROL,
        caption(rng, said),
        scene,
        render(scene),
        given=render_map(scene, control),
        control=control,
        criterion=said,
    )


def edit_example(step: EditStep) -> TrainingExample:
    """The picture before an edit, the instruction, and the picture after it."""
    return TrainingExample(
        Task.EDIT,
        step.instruction,
        step.after,
        render(step.after),
        given=render(step.before),
        step=step,
        given_scene=step.before,
    )


def dense_example(
    rng: Generator, target: MapKind, split: Split, *, cells: int = DEFAULT_CELLS
) -> TrainingExample:
    """A picture and its exact map."""
    scene = draw_scene(rng, split, cells=cells)
    return TrainingExample(
        Task.DENSE, "", scene, render_map(scene, target), given=render(scene), target=target
    )


def image_pair_example(
    rng: Generator, control: MapKind, split: Split, *, cells: int = DEFAULT_CELLS
) -> TrainingExample:
    """A caption, and the picture and its map, which the model both draws."""
    said, scene = sample_description(rng, split, cells)
    return TrainingExample(
        Task.IMAGE_PAIR,
        caption(rng, said),
        scene,
        render(scene),
        partner=render_map(scene, control),
        control=control,
        criterion=said,
    )


def _weighted(rng: Generator, shares: dict[Choice, float]) -> Choice:
    """A random key; its share is its probability. The shares sum to one."""
    point = rng.random()
    *firsts, last = shares
    for choice in firsts:
        point -= shares[choice]
        if point < 0:
            return choice
    return last
