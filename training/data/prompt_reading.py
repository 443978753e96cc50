"""From the words that a conversation says to the task that they ask for: the engine's templates, read back.

Sizes in the words are not kept: the engine writes them anew, for the size that a picture really has.
"""

import re
from dataclasses import dataclass

from services.worker.engine.prompts import REFERENCE_SUBJECT
from services.worker.engine.tasks import MapKind, Task

_ONE_PICTURE = re.compile(
    r"Generate an image(?: of \d+x\d+)? according to the following prompt:\n(?P<prompt>.*)", re.DOTALL
)
_TWO_PANELS = re.compile(
    r"Generate a dual-panel image of \d+x\d+ where the <(?P<half>upper|lower) half> displays a "
    r"<(?P<shown>[^>]+)>, while the <(?:upper|lower) half> retains the original image for direct visual "
    r"comparison:\n(?P<prompt>.*)",
    re.DOTALL,
)
_EDITED = "edited image"
_MAPS = {map_kind.phrase: map_kind for map_kind in MapKind}


@dataclass(frozen=True, slots=True)
class AskedTask:
    """What a text asks for. map, subject: as in `PictureRequest`."""

    task: Task
    prompt: str
    map: MapKind | None = None
    subject: str | None = None


def read_prompt(text: str, *, has_image: bool) -> AskedTask:
    """The task of a text; words without a template ask for a picture or, with an image, for an edit.

    has_image: whether a picture is given with the text.
    """
    if two := _TWO_PANELS.fullmatch(text):
        return _two_panels(two["half"], two["shown"], two["prompt"], has_image=has_image)
    one = _ONE_PICTURE.fullmatch(text)
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
