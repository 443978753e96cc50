"""The panels of the user's pictures, fitted to the model, and the requests that they answer."""

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from services.tokenizer.preprocessing import (
    ImageError,
    Size,
    center_crop,
    choose_crop_size,
    generate_crop_sizes,
    open_image,
    whiten_transparency,
)
from services.worker.engine.errors import EngineError
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.sequence_plan import plan_sequence
from services.worker.engine.tasks import PictureSize, Task
from services.worker.engine.text_tokenizer import TextTokenizer
from services.worker.engine.vocabulary import Vocabulary
from training.data.user_data import BadRecordError, UserExample

MAX_PIXELS = 200_000_000

Fit = int | Size
"""A target side, for the best size of about that square; or the exact (width, height) of a panel."""


class SequenceLimits(NamedTuple):
    """What lays sequences out, and how long they may be. tokens: the most of one sequence."""

    vocabulary: Vocabulary
    text_tokenizer: TextTokenizer
    tokens: int


def read_panels(example: UserExample, fit: Fit) -> list[Image.Image]:
    """The panels from above, all of one size. Raises BadRecordError naming the file."""
    panels = [_read(path) for path in example.pictures]
    two = example.asked.task is not Task.TEXT_TO_IMAGE
    if two and len(panels) == 1:
        whole = panels[0]
        half = whole.height // 2
        panels = [whole.crop((0, top, whole.width, top + half)) for top in (0, half)]
    if len(panels) != 1 + two:
        raise BadRecordError(f"task '{example.asked.task}' has {1 + two} panels, not {len(panels)}")
    size = choose_crop_size(panels[0].size, generate_crop_sizes(fit)) if isinstance(fit, int) else fit
    try:
        return [panel if panel.size == size else center_crop(panel, size) for panel in panels]
    except ImageError as error:
        raise BadRecordError(f"{example.pictures[0].name}: {error}") from error


def panel_request(
    example: UserExample, size: Size, given_codes: tuple[int, ...] | None = None
) -> PictureRequest:
    """The request that the example answers.

    size: of one panel. given_codes: of the upper panel, where the task takes one.
    Raises PromptError when text and task do not fit, ImageSizeError for a size off the grid.
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
    """Everything that can be wrong with an example, short of encoding it. Raises BadRecordError."""
    size = read_panels(example, fit)[0].size
    cells = size[0] // 8 * (size[1] // 8)
    try:
        request = panel_request(example, size, (0,) * cells if example.asked.task.takes_image else None)
        length = len(plan_sequence(limits.vocabulary, limits.text_tokenizer, request).tokens)
    except EngineError as error:
        raise BadRecordError(str(error)) from error
    if length > limits.tokens:
        raise BadRecordError(f"the sequence is too long: {length} tokens, and at most {limits.tokens} fit")


def _read(path: Path) -> Image.Image:
    try:
        return whiten_transparency(open_image(path.read_bytes(), MAX_PIXELS))
    except (ImageError, OSError) as error:
        raise BadRecordError(f"{path.name} cannot be read: {error}") from error
