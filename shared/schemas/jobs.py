"""The request body of POST /v1/jobs."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from shared.event_types import JobEventType
from shared.jobs import MOST_CANDIDATES, Priority, Queue
from shared.pictures.mask_modes import MaskMode
from shared.schemas.faults import fault
from shared.schemas.fields import (
    AspectRatio,
    GivenImage,
    ImageSource,
    Metadata,
    Numerics,
    Prompt,
    Seed,
    Size,
    Temperature,
    Text,
    Time,
    WholeNumber,
    whole,
)
from shared.schemas.token_controls import Composite, TokenControls
from shared.schemas.webhooks import JobEvents, WebhookUrl
from shared.tasks import OLDER_MAP_NAMES, MapKind, Task


class MapName(StrEnum):
    """Kind of a map; old names are accepted as well."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        newer = OLDER_MAP_NAMES.get(value) if isinstance(value, str) else None
        return None if newer is None else cls(newer)


class Control(MapName):
    """Kind of map that is given in a control task."""

    DEPTH = MapKind.DEPTH
    EDGES = MapKind.EDGES
    HED = MapKind.HED
    POSE = MapKind.POSE


class Target(MapName):
    """Kind of map to draw: of the given image (dense), or of the new picture (image_pair)."""

    DEPTH = MapKind.DEPTH
    SEGMENTATION = MapKind.SEGMENTATION
    EDGES = MapKind.EDGES
    HED = MapKind.HED
    POSE = MapKind.POSE


class OutputFormat(StrEnum):
    """Format of the files of outputs."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"


TASK_QUEUES = {
    Task.TEXT_TO_IMAGE: Queue.GENERATE,
    Task.IMAGE_PAIR: Queue.GENERATE,
    Task.SUBJECT: Queue.GENERATE,
    Task.CONTROL: Queue.GENERATE,
    Task.EDIT: Queue.EDIT,
    Task.DENSE: Queue.DENSE,
}

REQUIRED = {
    Task.TEXT_TO_IMAGE: {"prompt"},
    Task.IMAGE_PAIR: {"prompt", "target"},
    Task.SUBJECT: {"prompt", "image"},
    Task.CONTROL: {"prompt", "image", "control"},
    Task.EDIT: {"prompt", "image"},
    Task.DENSE: {"image", "target"},
}
OPTIONAL = {Task.EDIT: {"mask"}, Task.DENSE: {"prompt"}}
TASK_FIELDS = ("prompt", "image", "mask", "control", "target")
CANVAS_CONTROLS = ("mask", "keep_rows", "variation_strength", "extend")
"""Fields that keep cells of the canvas, see `TokenControls.keep_from`."""
MIRRORING_TASKS = (Task.EDIT, Task.DENSE)
"""Tasks whose result shows the given picture cell by cell."""

END_EVENTS: tuple[JobEventType, ...] = ("job.succeeded", "job.failed", "job.canceled", "job.expired")


class JobWebhook(BaseModel):
    """A webhook for events of this job."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    url: WebhookUrl
    events: JobEvents = list(END_EVENTS)


def listed(words: Sequence[str], conjunction: str) -> str:
    """`a, b and c`, with the conjunction before the last word."""
    return f" {conjunction} ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def fields_named(names: Sequence[str]) -> str:
    """The fields as error messages name them: "the field `image`"."""
    return ("the field " if len(names) == 1 else "the fields ") + listed(
        [f"`{name}`" for name in names], "and"
    )


class JobFields(TokenControls, frozen=True):
    """The fields of a job's request. Unknown fields are refused, so that misspelt ones are noticed."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    task: Task | None = None
    model: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    """Name of the model. Default: any model that a worker has."""
    numerics: Numerics | None = None
    """Numerics identity, from `GET /v1/models`, that must draw the job. Default: any identity."""
    prompt: Prompt | None = None
    negative_prompt: Prompt | None = None
    """What the picture should not show: guidance goes from it to the prompt. Needs guidance."""
    size: Size | None = None
    """WIDTHxHEIGHT of the result in pixels; for image_pair, of both panels together. Default: the model's own
    size, or the one that fits the given image best."""
    aspect_ratio: AspectRatio | None = None
    """Width to height of the result, for example 3:2, instead of `size`; for image_pair, of one panel. The
    gateway sets `size` to the trained size that is nearest to it."""
    allow_untrained_size: bool = False
    """Also draw sizes that the model was not trained for; most of these pictures turn out badly."""
    n: WholeNumber = Field(default=1, ge=1, le=MOST_CANDIDATES)
    """Number of candidates."""
    best_of: Annotated[int, Field(ge=1, le=MOST_CANDIDATES), BeforeValidator(whole)] | None = None
    """Number of candidates to draw, of which the `n` with the highest scores are kept. Default: `n`. Needs
    guidance, because the score compares the words with no words."""
    seed: Seed | None = None
    """The same seed gives the same pictures. Default: a random one, which the job shows in `request`."""
    guidance_scale: Annotated[float, Field(ge=1.0, le=30.0)] | None = None
    """Strength of classifier-free guidance; 1 is no guidance. Default: the model's recommended value."""
    top_k: WholeNumber = Field(default=4096, ge=1, le=65_536)
    temperature: Temperature = 1.0
    image: GivenImage | None = None
    """The given picture: an image or candidate id, a URL, a data URL, or the id of a job, whose first picture
    is used when it is drawn."""
    mask: ImageSource | None = None
    """Marks the part of the canvas that may change: in white, or transparent as in OpenAI's masks."""
    mask_mode: MaskMode | None = None
    """Reading of the mask. Default: auto, which chooses white or transparent by the mask's content."""
    control: Control | None = None
    target: Target | None = None
    output_format: OutputFormat | None = None
    """Format of the files at the outputs' `url`. Default: png, which the platform keeps in any case."""
    output_quality: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole)] | None = None
    """Quality of webp and jpeg. Default: 90."""
    priority: Priority = Priority.NORMAL
    start_by: Time | None = None
    finish_by: Time | None = None
    webhook: JobWebhook | None = None
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _a_mode_belongs_to_a_mask(self) -> Self:
        if self.mask_mode is not None and self.mask is None:
            raise fault("mode_without_mask", "mask_mode needs a mask", "mask_mode")
        return self

    @model_validator(mode="after")
    def _the_best_are_among_the_drawn(self) -> Self:
        if self.best_of is not None and self.best_of < self.n:
            raise fault("best_of_below_n", "best_of must be at least n", "best_of")
        return self

    @model_validator(mode="after")
    def _what_needs_guidance_has_it(self) -> Self:
        for name in ("best_of", "negative_prompt"):
            if getattr(self, name) is not None and self.guidance_scale == 1:
                raise fault("needs_guidance", f"{name} needs a guidance_scale above 1", name)
        return self

    @model_validator(mode="after")
    def _a_quality_belongs_to_a_format(self) -> Self:
        if self.output_quality is not None and self.output_format in (None, OutputFormat.PNG):
            words = "output_quality needs the output_format webp or jpeg"
            raise fault("quality_without_format", words, "output_quality")
        return self

    @model_validator(mode="after")
    def _deadlines_are_in_order(self) -> Self:
        if self.start_by and self.finish_by and self.start_by > self.finish_by:
            raise fault("deadlines_reversed", "start_by must not be later than finish_by", "start_by")
        return self


class JobRequest(JobFields, frozen=True):
    """The request of a job."""

    task: Task = Task.TEXT_TO_IMAGE

    @model_validator(mode="after")
    def _the_task_has_what_it_needs_and_nothing_else(self) -> Self:
        given = {name for name in TASK_FIELDS if getattr(self, name) not in (None, "")}
        required = REQUIRED[self.task]
        if missing := sorted(required - given):
            words = f"The task `{self.task}` needs {fields_named(missing)}"
            if missing in (["control"], ["target"]):
                words += ": " + listed([kind for kind in MapKind if kind in self.task.maps], "or")
            raise fault("missing_for_task", f"{words}.", missing[0])
        optional = OPTIONAL.get(self.task, set()) | ({"mask"} if self.keep_from else set())
        if surplus := sorted(given - required - optional):
            words = f"The task `{self.task}` does not take {fields_named(surplus)}."
            raise fault("not_for_task", words, surplus[0])
        if self.task is Task.IMAGE_PAIR and self.target not in self.task.maps:
            words = f"The task `{self.task}` draws no {self.target} map; the task `dense` does."
            raise fault("not_for_task", words, "target")
        return self

    @model_validator(mode="after")
    def _controls_have_a_canvas_and_a_use(self) -> Self:
        controls = [name for name in CANVAS_CONTROLS if getattr(self, name) is not None]
        if self.keep_from is None and self.task is not Task.EDIT and controls:
            words = (
                f"{controls[0]}: The task `{self.task}` needs keep_from, the picture whose cells are kept."
            )
            raise fault("missing_for_task", words, controls[0])
        if self.keep_from is not None and not controls:
            words = f"keep_from: Also send {listed([f'`{name}`' for name in CANVAS_CONTROLS], 'or')}."
            raise fault("canvas_without_control", words, "keep_from")
        if self.composite is not None and not controls:
            words = "composite: It needs a field that keeps cells of a canvas, such as mask."
            raise fault("canvas_without_control", words, "composite")
        if self.extend is not None and self.task in MIRRORING_TASKS:
            words = f"extend: The task `{self.task}` draws the given picture cell by cell, in its own size."
            raise fault("not_for_task", words, "extend")
        if self.extend is not None and self.mask is not None:
            words = "mask: extend keeps the whole canvas; send one of both."
            raise fault("controls_conflict", words, "mask")
        return self

    @property
    def canvas(self) -> str | None:
        """Source of the picture whose cells the controls keep; None if no control needs it."""
        if not any(getattr(self, name) is not None for name in CANVAS_CONTROLS):
            return None
        return self.keep_from or self.image

    @property
    def puts_pixels_back(self) -> bool:
        """Whether the pixels of kept cells are those of the canvas."""
        if self.composite is None:
            return self.mask is not None
        return self.composite is Composite.EXACT

    @property
    def drawn(self) -> int:
        """Number of candidates that are drawn."""
        return self.best_of or self.n

    @property
    def queue(self) -> Queue:
        """The queue that serves the task."""
        return TASK_QUEUES[self.task]
