"""Find the task that the text of a conversation asks for, by the engine's prompt templates.

Sizes in the text are ignored: the engine writes the real size of the picture into the prompt.
"""

import re
from dataclasses import dataclass

from services.worker.engine.layout.prompts import MAP_PHRASES, REFERENCE_SUBJECT
from shared.tasks import MapKind, Task
from training.errors import TrainingError


def _template(words: str) -> re.Pattern[str]:
    """A pattern for a template; any white space may be between its words and before the prompt."""
    return re.compile(words.replace(" ", r"\s+") + r"\s*(?P<prompt>.*)", re.DOTALL)


_ONE_PICTURE = _template(r"Generate an image(?: of \d+x\d+)? according to the following prompt:")
_TWO_PANELS = _template(
    r"Generate a dual-panel image of \d+x\d+ where the <(?P<half>upper|lower) half> displays a "
    r"<(?P<shown>[^>]+)>, while the <(?:upper|lower) half> retains the original image for direct visual "
    r"comparison:"
)
_BEGINS_AS_TEMPLATE = re.compile(r"Generate\s+an?\s+(?:dual-panel\s+)?image\s+of\s+\d+x\d+\s")
_EDITED = "edited image"
_MAPS = {phrase: map_kind for map_kind, phrase in MAP_PHRASES.items()}


@dataclass(frozen=True, slots=True)
class AskedTask:
    """The task that a text asks for, and its arguments. map, subject: as in `PictureRequest`."""

    task: Task
    prompt: str
    map: MapKind | None = None
    subject: str | None = None


def read_prompt(text: str, *, has_image: bool) -> AskedTask:
    """The task of a text; text without a template is a prompt or, with an image, an edit instruction.

    has_image: whether a picture is given with the text.
    Raises TrainingError for a text that begins like a template but then differs: as a prompt it would be put
    into a second template.
    """
    text = text.strip()
    if two := _TWO_PANELS.fullmatch(text):
        return _two_panels(two["half"], two["shown"], two["prompt"], has_image=has_image)
    one = _ONE_PICTURE.fullmatch(text)
    if one is None and _BEGINS_AS_TEMPLATE.match(text):
        raise TrainingError(f"{text[:60]!r} differs from the model's template; use its exact words")
    return AskedTask(Task.EDIT if has_image else Task.TEXT_TO_IMAGE, one["prompt"] if one else text)


def _two_panels(half: str, shown: str, prompt: str, *, has_image: bool) -> AskedTask:
    map_kind = _MAPS.get(shown)
    if half == "lower" and shown == _EDITED:
        return AskedTask(Task.EDIT, prompt)
    if half == "lower":
        return AskedTask(Task.DENSE if has_image else Task.IMAGE_PAIR, prompt, map_kind)
    if map_kind is not None:
        return AskedTask(Task.CONTROL, prompt, map_kind)
    return AskedTask(Task.SUBJECT, prompt, subject=None if shown == REFERENCE_SUBJECT else shown)
