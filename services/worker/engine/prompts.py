"""From a request to the words that the model was trained on.

Templates and their spelling are the reference's (generate_examples/generate.py at commit f44a4d7). Two
sentences carry every dual-panel task: the upper half displays something and the lower one is drawn from
it, or the other way round. The reference has no command for editing and for dense prediction; both use
its second sentence, in which the upper half retains the original: exactly what is given to them.
"""

from dataclasses import dataclass

from services.worker.engine.errors import ImageSizeError, PromptError
from services.worker.engine.tasks import MapKind, PictureSize, Task
from services.worker.engine.vocabulary import GRID_PIXELS

REFERENCE_SUBJECT = "Bubbly and effervescent with a sparkling allure."
"""What the reference calls every subject; used when a request does not describe its own."""


@dataclass(frozen=True)
class PictureRequest:
    """What to draw. The texts are the user's own and are never read as control tokens.

    size: of the picture that is handed back. For the tasks that take an image this is one panel, so the
    picture that the model sees is twice as high; for the others it is the whole picture, and both halves
    of an image pair count.
    prompt: what the picture shows; for edits the instruction; may be empty for dense prediction only.
    map: which map is given (control) or drawn (dense, image pair).
    subject: describes the given subject.
    given_codes: the given panel's image codes, row by row.
    kept_codes: per cell of the result, row by row, the code that stands there or None where the model
    draws; None altogether draws every cell. See `keep_where`.
    """

    task: Task
    prompt: str
    size: PictureSize
    map: MapKind | None = None
    subject: str | None = None
    given_codes: tuple[int, ...] | None = None
    kept_codes: tuple[int | None, ...] | None = None

    def __post_init__(self) -> None:
        """Raises PromptError when task, texts, map and image do not fit together; ImageSizeError."""
        if self.whole_size.height % GRID_PIXELS:
            raise ImageSizeError(f"{self.size} is no size in multiples of {GRID_PIXELS} pixels")
        _check_texts(self)
        _check_map(self)
        if self.task.takes_image and self.given_codes is None:
            raise PromptError(f"task '{self.task}' needs an image")
        if not self.task.takes_image and self.given_codes is not None:
            raise PromptError(f"task '{self.task}' takes no image")

    @property
    def whole_size(self) -> PictureSize:
        """Size of the picture that the model sees, given panel included."""
        panels = 2 if self.task.takes_image else 1
        return PictureSize(self.size.width, self.size.height * panels)


def prompt_text(request: PictureRequest) -> str:
    """The exact text of the prompt; its "WxH" is the whole picture, width first."""
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


def next_turn(previous: PictureRequest, result_codes: tuple[int, ...], instruction: str) -> PictureRequest:
    """The edit that follows: the last result, as codes and never encoded anew, is the next given panel.

    result_codes: all cells of the previous result, row by row.
    """
    return PictureRequest(Task.EDIT, instruction, previous.size, given_codes=result_codes)


def keep_where(mask: tuple[bool, ...], codes: tuple[int, ...]) -> tuple[int | None, ...]:
    """Codes where the mask is True, None where the model draws; both row by row over the result.

    Raises PromptError when the two differ in length.
    """
    if len(mask) != len(codes):
        raise PromptError(f"the mask covers {len(mask)} cells, the picture has {len(codes)}")
    return tuple(code if kept else None for kept, code in zip(mask, codes, strict=True))


def _dual_panel(size: PictureSize, displaying: str, shown: str, retaining: str, prompt: str) -> str:
    return (
        f"Generate a dual-panel image of {size} where the <{displaying} half> displays a <{shown}>, "
        f"while the <{retaining} half> retains the original image for direct visual comparison:\n{prompt}"
    )


def _phrase(request: PictureRequest) -> str:
    if request.map is None:
        raise PromptError(_map_needed(request.task))
    return request.map.phrase


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
    if request.subject is not None and request.task is not Task.SUBJECT:
        raise PromptError(f"task '{request.task}' takes no description of a subject")
