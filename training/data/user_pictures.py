"""Fit a user's pictures to the model's panels, and make the requests that they answer."""

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from services.worker.engine.errors import EngineError
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.pictures.crop_sizes import Size, choose_crop_size, generate_crop_sizes
from shared.pictures.errors import ImageError
from shared.pictures.fitting import center_crop
from shared.pictures.opening import open_image
from shared.pictures.whitening import whiten_transparency
from shared.tasks import Task
from training.data.records import UserExample
from training.errors import BadRecordError

MAX_PIXELS = 200_000_000

Fit = int | Size
"""Size of a panel: (width, height), or N for about N x N pixels in the shape that suits the picture best."""


class SequenceLimits(NamedTuple):
    """Vocabulary and text tokenizer that lay out sequences. tokens: maximum length of a sequence."""

    vocabulary: Vocabulary
    text_tokenizer: TextTokenizer
    tokens: int


def read_panels(example: UserExample, fit: Fit) -> list[Image.Image]:
    """The panels from top to bottom, all of one size. Raises BadRecordError, which names the file."""
    panels = [_read(path) for path in example.pictures]
    two = example.asked.task is not Task.TEXT_TO_IMAGE
    if two and len(panels) == 1:
        whole = panels[0]
        half = whole.height // 2
        panels = [whole.crop((0, top, whole.width, top + half)) for top in (0, half)]
    if len(panels) != 1 + two:
        raise BadRecordError(f"task '{example.asked.task}' needs {1 + two} panels, not {len(panels)}")
    size = choose_crop_size(panels[0].size, generate_crop_sizes(fit)) if isinstance(fit, int) else fit
    try:
        return [panel if panel.size == size else center_crop(panel, size) for panel in panels]
    except ImageError as error:
        raise BadRecordError(f"{example.pictures[0].name}: {error}") from error


def panel_request(
    example: UserExample, size: Size, given_codes: tuple[int, ...] | None = None
) -> PictureRequest:
    """The request that the example answers.

    size: (width, height) of one panel. given_codes: codes of the upper panel, if the task takes one.
    Raises PromptError if text and task do not fit, ImageSizeError if the size is not on the grid.
    """
    asked = example.asked
    panels = 2 if asked.task is Task.IMAGE_PAIR else 1
    return PictureRequest(
        task=asked.task,
        prompt=asked.prompt,
        size=PictureSize(size[0], size[1] * panels),
        map=asked.map,
        subject=asked.subject,
        given_codes=given_codes,
    )


def check_example(example: UserExample, fit: Fit, limits: SequenceLimits) -> None:
    """Check everything about an example that can be checked without encoding it. Raises BadRecordError."""
    size = read_panels(example, fit)[0].size
    cells = size[0] // 8 * (size[1] // 8)
    try:
        request = panel_request(example, size, (0,) * cells if example.asked.task.takes_image else None)
        length = len(plan_sequence(limits.vocabulary, limits.text_tokenizer, request).tokens)
    except EngineError as error:
        raise BadRecordError(str(error)) from error
    if length > limits.tokens:
        raise BadRecordError(f"the sequence is too long: {length} tokens, but at most {limits.tokens} fit")


def _read(path: Path) -> Image.Image:
    try:
        return whiten_transparency(open_image(path.read_bytes(), MAX_PIXELS))
    except (ImageError, OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise BadRecordError(f"{path.name} cannot be read: {error}") from error
