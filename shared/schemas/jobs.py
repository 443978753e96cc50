"""What a client asks for: the body of POST /v1/jobs."""

from enum import StrEnum
from typing import Annotated, Literal, LiteralString, Self

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.jobs import Priority, Queue
from shared.schemas.fields import ImageSource, Metadata, Seed, Size, Time

LONGEST_PROMPT = 8000
MOST_CANDIDATES = 8


class Task(StrEnum):
    """What the model does."""

    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_PAIR = "image_pair"
    SUBJECT = "subject"
    CONTROL = "control"
    EDIT = "edit"
    DENSE = "dense"


class Control(StrEnum):
    """What the given image of a control task is."""

    DEPTH = "depth"
    CANNY = "canny"
    HED = "hed"
    POSE = "pose"


class Target(StrEnum):
    """The map to draw: of the given image (dense), or beside the new picture (image_pair)."""

    DEPTH = "depth"
    SEGMENTATION = "segmentation"
    EDGES = "edges"
    HED = "hed"
    POSE = "pose"


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
PAIR_TARGETS = set(Target) - {Target.SEGMENTATION}
"""Maps that the published model draws beside a new picture."""
TASK_FIELDS = ("prompt", "image", "mask", "control", "target")

EventType = Literal[
    "job.queued",
    "job.started",
    "job.interrupted",
    "job.retrying",
    "job.canceling",
    "job.canceled",
    "job.succeeded",
    "job.failed",
    "job.expired",
]
"""The types of webhook events: `job.` and the value of a JobEvent."""

END_EVENTS: tuple[EventType, ...] = ("job.succeeded", "job.failed", "job.canceled", "job.expired")


class JobWebhook(BaseModel):
    """Where to tell of this job alone."""

    model_config = ConfigDict(extra="forbid")

    url: AnyHttpUrl
    events: list[EventType] = Field(default=list(END_EVENTS), min_length=1)


def fault(code: LiteralString, message: str, param: str) -> PydanticCustomError:
    """What is wrong between several fields; `param` is the one to look at first."""
    return PydanticCustomError(code, "{message}", {"message": message, "param": param})


class JobRequest(BaseModel):
    """A job as it is asked for. Unknown fields are refused: a misspelt one must not be ignored."""

    model_config = ConfigDict(extra="forbid")

    task: Task = Task.TEXT_TO_IMAGE
    model: str | None = Field(default=None, max_length=200)
    """Name of the model; the server's own when not given."""
    prompt: Annotated[str, Field(max_length=LONGEST_PROMPT)] | None = None
    size: Size | None = None
    """WIDTHxHEIGHT of the result, of both halves together for image_pair; the model's own size, or the given
    image's nearest one, when not given."""
    n: int = Field(default=1, ge=1, le=MOST_CANDIDATES)
    """How many candidates."""
    seed: Seed | None = None
    """The same seed gives the same pictures; the server chooses one when not given, and tells it."""
    guidance_scale: Annotated[float, Field(ge=1.0, le=30.0)] | None = None
    """How closely the prompt is followed; 1 is no guidance. What the model recommends, when not given."""
    top_k: int = Field(default=4096, ge=1, le=65_536)
    temperature: float = Field(default=1.0, ge=0.0, le=4.0)
    image: ImageSource | None = None
    mask: ImageSource | None = None
    """White where the edit may change the image."""
    control: Control | None = None
    target: Target | None = None
    priority: Priority = Priority.NORMAL
    start_by: Time | None = None
    finish_by: Time | None = None
    webhook: JobWebhook | None = None
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _the_task_has_what_it_needs_and_nothing_else(self) -> Self:
        given = {name for name in TASK_FIELDS if getattr(self, name) not in (None, "")}
        required = REQUIRED[self.task]
        if missing := sorted(required - given):
            raise fault("missing_for_task", f"task {self.task} needs {', '.join(missing)}", missing[0])
        if surplus := sorted(given - required - OPTIONAL.get(self.task, set())):
            raise fault("not_for_task", f"task {self.task} does not take {', '.join(surplus)}", surplus[0])
        if self.task is Task.IMAGE_PAIR and self.target not in PAIR_TARGETS:
            words = f"task {self.task} draws no {self.target} map; task dense does"
            raise fault("not_for_task", words, "target")
        return self

    @model_validator(mode="after")
    def _deadlines_are_in_order(self) -> Self:
        if self.start_by and self.finish_by and self.start_by > self.finish_by:
            raise fault("deadlines_reversed", "start_by must not be later than finish_by", "start_by")
        return self

    @property
    def queue(self) -> Queue:
        """The queue that serves the task."""
        return TASK_QUEUES[self.task]
