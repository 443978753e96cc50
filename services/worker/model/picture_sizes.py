"""The picture sizes that a model was trained for; pictures of other sizes come out as garbage.

generation_config.json lists them: `image_sizes` for single pictures and `panel_sizes` for each panel of a
picture with two panels, or "any". A folder with `image_size` alone has that one size. A published checkpoint
has none of these entries and was trained with the reference's tables: pictures of about 768x768 pixels and
panels of about 512x512.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, cast

from services.worker.engine.errors import CheckpointError, ImageSizeError
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.loading.model_folder import (
    GENERATION_FILE,
    default_size,
    generation_settings,
    recommended,
)
from shared.pictures.crop_sizes import choose_crop_size, generate_crop_sizes
from shared.sizes import GRID_PIXELS
from shared.tasks import Task

ANY = "any"
"""Takes the place of a list if the model draws all sizes equally well."""
PUBLIC_SINGLE, PUBLIC_PANEL = 768, 512
"""Sides of squares with about the area, in pixels, that the published models were trained with."""

Sizes = tuple[PictureSize, ...] | None
"""The trained sizes; None if any size is allowed."""


@dataclass(frozen=True)
class TrainedSizes:
    """Trained sizes of single pictures and of panels, and the default of each."""

    singles: Sizes
    panels: Sizes
    default_single: PictureSize
    default_panel: PictureSize

    def of(self, task: Task) -> Sizes:
        """Sizes that a request of this task may name; an image pair has the height of both panels."""
        match task:
            case Task.TEXT_TO_IMAGE:
                return self.singles
            case Task.IMAGE_PAIR:
                return None if self.panels is None else tuple(pair_of(panel) for panel in self.panels)
            case Task.SUBJECT | Task.CONTROL | Task.EDIT | Task.DENSE:
                return self.panels

    def default(self, task: Task) -> PictureSize:
        """Size of a picture whose request names none."""
        match task:
            case Task.TEXT_TO_IMAGE:
                return self.default_single
            case Task.IMAGE_PAIR:
                return pair_of(self.default_panel)
            case Task.SUBJECT | Task.CONTROL | Task.EDIT | Task.DENSE:
                return self.default_panel

    def check(self, task: Task, size: PictureSize) -> None:
        """Raise ImageSizeError, which lists the sizes, if the model was not trained for this one."""
        known = self.of(task)
        if known is not None and size not in known:
            raise ImageSizeError(
                f"the model was not trained for {size} in the task {task}, but for {listed(known)}; "
                "allow_untrained_size allows it"
            )

    def unlimited(self) -> Self:
        """A copy that allows any size, with the same defaults."""
        return replace(self, singles=None, panels=None)

    def best_panel(self, width: int, height: int) -> PictureSize:
        """The trained size that crops a given picture least; if any is allowed, one of the default's area."""
        panels = public_sizes(side_of_square(self.default_panel)) if self.panels is None else self.panels
        sizes = [(size.width, size.height) for size in panels]
        if (width, height) in sizes:
            return PictureSize(width, height)
        return PictureSize(*choose_crop_size((width, height), sizes))

    def nearest(self, task: Task, ratio: str) -> PictureSize:
        """The size nearest to an aspect ratio such as 3:2, which is that of one panel for an image pair.

        If any size is allowed, one of the default's area.
        """
        width, height = (int(side) for side in ratio.split(":"))
        known = self.of(task)
        if known is None:
            known = public_sizes(side_of_square(self.default(task)))
        panels = 2 if task is Task.IMAGE_PAIR else 1
        sizes = [(size.width, size.height) for size in known]
        return PictureSize(*choose_crop_size((width, height * panels), sizes))

    def as_text(self) -> dict[str, list[str]] | None:
        """Sizes by task for the models resource; None if any size is allowed."""
        by_task = {str(task): self.of(task) for task in Task}
        listed_tasks = {
            task: [str(size) for size in sizes] for task, sizes in by_task.items() if sizes is not None
        }
        return listed_tasks or None


def read_trained_sizes(folder: Path) -> TrainedSizes:
    """Read the sizes from the folder. Raises CheckpointError if an entry is malformed."""
    settings = generation_settings(folder)
    own = settings.get("image_size")
    single = default_size(folder)
    panel = recommended(folder, "panel_size", str(own or f"{PUBLIC_PANEL}x{PUBLIC_PANEL}"), PictureSize.parse)
    is_public = own is None and "image_sizes" not in settings
    singles = _listed(folder, "image_sizes", public_sizes(PUBLIC_SINGLE) if is_public else (single,))
    otherwise = public_sizes(PUBLIC_PANEL) if is_public else singles
    panels = _listed(folder, "panel_sizes", otherwise)
    for name, size, known in (("image_size", single, singles), ("panel_size", panel, panels)):
        if known is not None and size not in known:
            raise CheckpointError(f"{folder / GENERATION_FILE}: {name} {size} is not among {listed(known)}")
    return TrainedSizes(singles, panels, single, panel)


def public_sizes(side: int) -> tuple[PictureSize, ...]:
    """The reference's sizes of about `side` x `side` pixels."""
    return tuple(PictureSize(*size) for size in generate_crop_sizes(side))


def pair_of(panel: PictureSize) -> PictureSize:
    """Size of two panels, one above the other."""
    return PictureSize(panel.width, 2 * panel.height)


def side_of_square(size: PictureSize) -> int:
    """Side of the largest square, in multiples of 32 pixels, that has no more pixels than `size`."""
    side = int((size.width * size.height) ** 0.5)
    return max(GRID_PIXELS, side - side % GRID_PIXELS)


def listed(sizes: Sequence[PictureSize]) -> str:
    """The sizes as text for a message."""
    return ", ".join(str(size) for size in sizes)


def _listed(folder: Path, name: str, otherwise: Sizes) -> Sizes:
    def parse(value: object) -> Sizes:
        if value is None:
            return otherwise
        if value == ANY:
            return None
        if not isinstance(value, list) or not value:
            raise TypeError(f'it is a list of sizes such as "512x512", or "{ANY}"')
        return tuple(PictureSize.parse(str(size)) for size in cast("list[object]", value))

    return recommended(folder, name, None, parse)
