"""Request bodies of /v1/sessions."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.api.problems.validation import validation_problem
from shared.ids import IdKind, MalformedIdError, id_pattern, parse_id
from shared.schemas.faults import fault
from shared.schemas.fields import GivenImage, Metadata, Text
from shared.schemas.jobs import JobFields, JobRequest
from shared.tasks import Task

ROOT = "root"
"""Names the picture that the session was created from."""
CANDIDATE_PATTERN = f"^({ROOT}|{id_pattern(IdKind.CANDIDATE)})$"
ORIGIN_PATTERN = f"^({ROOT}|{id_pattern(IdKind.CANDIDATE)}|{id_pattern(IdKind.TURN)})$"

Name = Annotated[Text, Field(max_length=200)]
Note = Annotated[Text, Field(max_length=4000)]


def check_origin(text: str) -> str:
    """Return `root`, a candidate id or a turn id unchanged. Raises ValueError."""
    if text == ROOT:
        return text
    kind = IdKind.TURN if text.startswith(f"{IdKind.TURN.value}_") else IdKind.CANDIDATE
    try:
        parse_id(kind, text)
    except MalformedIdError as error:
        raise ValueError(f"must be `{ROOT}`, a candidate id or a turn id: {error}") from error
    return text


def check_head(text: str) -> str:
    """Return `root` or a candidate id unchanged. Raises ValueError."""
    if text.startswith(f"{IdKind.TURN.value}_"):
        raise ValueError("must be a candidate id: a turn may have several pictures")
    return check_origin(text)


Origin = Annotated[str, Field(json_schema_extra={"pattern": ORIGIN_PATTERN}), AfterValidator(check_origin)]
Head = Annotated[str, Field(json_schema_extra={"pattern": CANDIDATE_PATTERN}), AfterValidator(check_head)]


class SessionRequest(JobFields, frozen=True):
    """A new session. With `prompt` or `task` it gets its first turn, with `image` its first picture."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "A house", "prompt": "a red house", "seed": 7}]}
    )

    task: Task | None = None
    """Task of the first turn. Default: `edit` with an image, otherwise `text_to_image`."""
    title: Name | None = None
    note: Note | None = None
    metadata: Metadata = Field(default_factory=dict)
    """Labels of the session."""

    @property
    def asks_for_a_turn(self) -> bool:
        """Whether the session begins with a turn."""
        return self.task is not None or self.prompt is not None

    @model_validator(mode="after")
    def _fields_of_a_turn_need_a_turn(self) -> Self:
        own = {"title", "note", "metadata", "image"}
        given = sorted(self.model_fields_set - own)
        if given and not self.asks_for_a_turn:
            raise fault("missing_for_task", f"The field `{given[0]}` needs a `prompt` or a `task`.", given[0])
        return self

    def job(self) -> JobRequest:
        """The job of the first turn. Raises Problem."""
        default = Task.EDIT if self.image is not None else Task.TEXT_TO_IMAGE
        return job_request(self, {"title", "note", "metadata"}, self.task or default, self.image)


class TurnRequest(JobFields, frozen=True):
    """A turn: a job that starts from a picture of the session."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"examples": [{"prompt": "add a yellow tree on the left", "n": 2, "seed": 8}]},
    )

    task: Task | None = None
    """Default: `edit`; in a session without a picture, `text_to_image`."""
    image: GivenImage | None = None
    """Picture that the model gets in place of the parent's; the turn still belongs below its parent."""
    origin: Origin | None = Field(default=None, alias="from")
    """The parent: a candidate, a turn, whose first picture is awaited, or `root`. Default: the head."""
    name: Name | None = None
    note: Note | None = None

    def job(self, parent_image: str | None) -> JobRequest:
        """The job of the turn. parent_image: image source of the parent. Raises Problem."""
        task = self.task or (Task.TEXT_TO_IMAGE if parent_image is None else Task.EDIT)
        image = self.image or (parent_image if task.takes_image else None)
        return job_request(self, {"origin", "name", "note"}, task, image)


class SessionChange(BaseModel):
    """Fields of a session to change; null empties a field, fields that are left out stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"title": "The red house"}]})

    title: Name | None = None
    note: Note | None = None
    metadata: Metadata | None = None


class TurnChange(BaseModel):
    """Fields of a turn to change; null empties a field, fields that are left out stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "with a tree"}]})

    name: Name | None = None
    note: Note | None = None
    metadata: Metadata | None = None


class HeadChange(BaseModel):
    """The picture that becomes the head."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"candidate": "cnd_00t8bh6ef7f1pv4b2d6m9qzs8x"}]}
    )

    candidate: Head
    """A candidate of one of the session's turns, or `root`."""


def job_request(fields: JobFields, without: set[str], task: Task, image: str | None) -> JobRequest:
    """The job request with these fields. Raises Problem that names the faulty field."""
    given = {name: getattr(fields, name) for name in fields.model_fields_set - without - {"task", "image"}}
    try:
        return JobRequest.model_validate({**given, "task": task, "image": image})
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_input=False), JobRequest) from error
