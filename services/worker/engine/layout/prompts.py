"""Prompt texts, in the words that the model was trained on.

Templates and their spelling are the reference's (generate_examples/generate.py at commit f44a4d7). All
dual-panel tasks use one of two sentences: the upper half displays something and the lower half retains the
original, or the reverse. The reference has no command for editing and dense prediction; both use the second
sentence, because the picture given to them is the original in the upper half.
"""

from dataclasses import dataclass, replace

from services.worker.engine.errors import ImageSizeError, PromptError
from services.worker.engine.layout.picture_size import PictureSize
from shared.sizes import GRID_PIXELS
from shared.tasks import MapKind, Task

REFERENCE_SUBJECT = "Bubbly and effervescent with a sparkling allure."
"""The reference's description of every subject, used if a request has none."""
MAP_PHRASES = {
    MapKind.DEPTH: "depth map",
    MapKind.EDGES: "canny edge map",
    MapKind.HED: "hed edge map",
    MapKind.POSE: "pose estimation map",
    MapKind.SEGMENTATION: "segmentation map",
}
"""Names of the maps in prompts: those of the reference, except for the segmentation map."""


@dataclass(frozen=True)
class PictureRequest:
    """A picture to draw. Its texts are never read as control tokens.

    size: size of the result. For tasks that take an image this is one panel, and the picture that the model
    sees is twice as high; for the others it is the whole picture, with both halves of an image pair.
    prompt: description of the picture; for edits the instruction; may be empty for dense prediction only.
    map: the kind of map that is given (control) or drawn (dense, image pair).
    subject: description of the given subject.
    given_codes: image codes of the given panel, row by row.
    kept_codes: for each cell of the result, row by row, the code to keep, or None if the model draws the
    cell. Without kept_codes the model draws all cells.
    negative_prompt: what the picture should not show; it takes the prompt's place in the second stream of
    guidance, which otherwise has no words at all.
    """

    task: Task
    prompt: str
    size: PictureSize
    map: MapKind | None = None
    subject: str | None = None
    given_codes: tuple[int, ...] | None = None
    kept_codes: tuple[int | None, ...] | None = None
    negative_prompt: str | None = None

    def __post_init__(self) -> None:
        """Raises PromptError if the task does not allow or lacks a text, map or image; ImageSizeError."""
        if self.whole_size.height % GRID_PIXELS:
            raise ImageSizeError(f"the height of {self.size} must be a multiple of {GRID_PIXELS}")
        _check_texts(self)
        _check_map(self)
        if self.task.takes_image and self.given_codes is None:
            raise PromptError(f"task '{self.task}' needs an image")
        if not self.task.takes_image and self.given_codes is not None:
            raise PromptError(f"task '{self.task}' takes no image")

    @property
    def whole_size(self) -> PictureSize:
        """Size of the picture that the model sees, including the given panel."""
        panels = 2 if self.task.takes_image else 1
        return PictureSize(self.size.width, self.size.height * panels)


def prompt_text(request: PictureRequest) -> str:
    """The exact text of the prompt; its "WxH" is the size of the whole picture."""
    size, prompt = request.whole_size, request.prompt
    match request.task:
        case Task.TEXT_TO_IMAGE:
            return f"Generate an image of {size} according to the following prompt:\n{prompt}"
        case Task.CONTROL:
            return _dual_panel(size, "upper", _phrase(request), "lower", prompt)
        case Task.SUBJECT:
            return _dual_panel(size, "upper", request.subject or REFERENCE_SUBJECT, "lower", prompt)
        case Task.IMAGE_PAIR | Task.DENSE:
            return _dual_panel(size, "lower", _phrase(request), "upper", prompt)
        case Task.EDIT:
            return _dual_panel(size, "lower", "edited image", "upper", prompt)


def negative_prompt_text(request: PictureRequest) -> str | None:
    """The exact text of the negative prompt, in the words around the prompt; None without one."""
    if request.negative_prompt is None:
        return None
    return prompt_text(replace(request, prompt=request.negative_prompt))


def _dual_panel(size: PictureSize, displaying: str, shown: str, retaining: str, prompt: str) -> str:
    return (
        f"Generate a dual-panel image of {size} where the <{displaying} half> displays a <{shown}>, "
        f"while the <{retaining} half> retains the original image for direct visual comparison:\n{prompt}"
    )


def _phrase(request: PictureRequest) -> str:
    if request.map is None:
        raise PromptError(_map_needed(request.task))
    return MAP_PHRASES[request.map]


def _map_needed(task: Task) -> str:
    return f"task '{task}' needs one of the maps {', '.join(sorted(task.maps))}"


def _check_map(request: PictureRequest) -> None:
    if not request.task.maps and request.map is not None:
        raise PromptError(f"task '{request.task}' takes no map")
    if request.task.maps and request.map not in request.task.maps:
        raise PromptError(_map_needed(request.task))


def _check_texts(request: PictureRequest) -> None:
    if not request.prompt.strip() and request.task is not Task.DENSE:
        raise PromptError(f"task '{request.task}' needs a prompt")
    if request.negative_prompt is not None and not request.negative_prompt.strip():
        raise PromptError("a negative prompt must not be blank: leave it out")
    if request.subject is not None and request.task is not Task.SUBJECT:
        raise PromptError(f"task '{request.task}' takes no description of a subject")
