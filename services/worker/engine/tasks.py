"""What can be asked of the model: tasks, visual maps and picture sizes."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from services.worker.engine.errors import ImageSizeError, PromptError
from services.worker.engine.vocabulary import GRID_PIXELS


class MapKind(StrEnum):
    """A picture that describes another one, pixel by pixel."""

    DEPTH = "depth"
    CANNY = "canny"
    HED = "hed"
    POSE = "pose"
    SEGMENTATION = "segmentation"

    @classmethod
    def parse(cls, name: str) -> Self:
        """A map by its name or by a name that other tools use. Raises PromptError for an unknown one."""
        try:
            return cls(_MAP_ALIASES.get(name, name))
        except ValueError as error:
            raise PromptError(f"unknown map '{name}'; known are {', '.join(cls)}") from error

    @property
    def phrase(self) -> str:
        """How prompts call the map; the words of the reference, but for the segmentation map."""
        return _MAP_PHRASES[self]


_MAP_ALIASES = {"openpose": "pose", "edges": "canny"}
_MAP_PHRASES = {
    MapKind.DEPTH: "depth map",
    MapKind.CANNY: "canny edge map",
    MapKind.HED: "hed edge map",
    MapKind.POSE: "pose estimation map",
    MapKind.SEGMENTATION: "segmentation map",
}
_CONTROL_MAPS = frozenset({MapKind.DEPTH, MapKind.CANNY, MapKind.HED, MapKind.POSE})


class Task(StrEnum):
    """One model, six tasks: a prompt template, and which half of the picture is given.

    text_to_image  draws one picture
    image_pair     draws a picture (upper half) and its map (lower half)
    subject        given a subject, draws it in another scene
    control        given a map, draws a picture that it describes
    edit           given a picture, draws it changed
    dense          given a picture, draws its map
    """

    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_PAIR = "image_pair"
    SUBJECT = "subject"
    CONTROL = "control"
    EDIT = "edit"
    DENSE = "dense"

    @classmethod
    def parse(cls, name: str) -> Self:
        """A task by its name or its short alias. Raises PromptError for an unknown one."""
        try:
            return cls(_TASK_ALIASES.get(name, name))
        except ValueError as error:
            raise PromptError(f"unknown task '{name}'; known are {', '.join(cls)}") from error

    @property
    def takes_image(self) -> bool:
        """Whether the upper half is given and only the lower half is drawn."""
        return self not in {Task.TEXT_TO_IMAGE, Task.IMAGE_PAIR}

    @property
    def result_resembles_image(self) -> bool:
        """Whether the given panel's own tokens are a good first guess at the result's.

        Measured: they save forward passes for edits and control, and cost some for dense prediction.
        """
        return self in {Task.EDIT, Task.CONTROL}

    @property
    def maps(self) -> frozenset[MapKind]:
        """The maps that a request of this task must choose from; empty where it takes none."""
        match self:
            case Task.IMAGE_PAIR | Task.CONTROL:
                return _CONTROL_MAPS
            case Task.DENSE:
                return frozenset(MapKind)
            case Task.TEXT_TO_IMAGE | Task.SUBJECT | Task.EDIT:
                return frozenset()


_TASK_ALIASES = {"t2i": "text_to_image", "pair": "image_pair"}


@dataclass(frozen=True, slots=True)
class PictureSize:
    """Width and height in pixels. Raises ImageSizeError for sides off the grid.

    A width is a multiple of 32, a height of 16: two panels share a grid of 32. A request checks
    that its whole picture falls on that grid.
    """

    width: int
    height: int

    def __post_init__(self) -> None:
        if (
            self.width < GRID_PIXELS
            or self.height < GRID_PIXELS // 2
            or self.width % GRID_PIXELS
            or self.height % (GRID_PIXELS // 2)
        ):
            raise ImageSizeError(f"{self} is no size in multiples of {GRID_PIXELS} pixels")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "768x512": width first."""
        match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
        if match is None:
            raise ImageSizeError(f"'{text}' is no size; write width and height like 768x512")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
