"""The arguments of the tools. Names and limits are those of the API; descriptions are for language models."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.ids import IdKind, id_pattern
from shared.jobs import MOST_CANDIDATES
from shared.schemas.faults import fault
from shared.schemas.fields import AspectRatio, GivenImage, ImageSource, Prompt, Seed, Size, Text, whole
from shared.schemas.jobs import Target
from shared.schemas.token_controls import Cells, StoredPicture

LONGEST_WAIT = 600
Wait = Annotated[int, Field(ge=0, le=LONGEST_WAIT), BeforeValidator(whole)]
Count = Annotated[int, Field(ge=1, le=MOST_CANDIDATES), BeforeValidator(whole)]
SessionId = Annotated[str, Field(pattern=f"^{id_pattern(IdKind.SESSION)}$")]
JobId = Annotated[str, Field(pattern=f"^{id_pattern(IdKind.JOB)}$")]
Place = Annotated[str, Field(max_length=64)]


class Arguments(BaseModel, frozen=True):
    """Arguments of a tool. Unknown ones are refused, so that misspelt ones are noticed."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Drawing(Arguments, frozen=True):
    """What all tools that draw have in common."""

    own: ClassVar[set[str]] = {"session_id", "wait_seconds"}
    """Arguments that are no fields of a job."""

    session_id: SessionId | None = None
    """The session that the picture belongs to."""
    n: Count = 1
    """Number of pictures to draw."""
    seed: Seed | None = None
    """The same arguments with the same seed give the same pictures. Default: a random one."""
    wait_seconds: Wait | None = None
    """How long to wait for the pictures. If they are not drawn by then, the answer has the job's id: ask for
    them with the tool `job`."""

    def fields(self) -> dict[str, Any]:
        """The fields of the job or of the turn that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set - self.own}


class Create(Drawing, frozen=True):
    """Draw a picture from a text, in a new session or as a new beginning in an existing one."""

    own: ClassVar[set[str]] = Drawing.own | {"title"}

    prompt: Prompt
    """What the picture shows."""
    negative_prompt: Prompt | None = None
    """What the picture should not show."""
    size: Size | None = None
    """WIDTHxHEIGHT in pixels, one of the model's sizes. Default: the model's own."""
    aspect_ratio: AspectRatio | None = None
    """Width to height, for example 3:2, instead of a size."""
    guidance_scale: Annotated[float, Field(ge=1.0, le=30.0)] | None = None
    """How closely the picture follows the prompt. Default: the model's recommended value."""
    model: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    """Name of the model. Default: any that is running."""
    title: Annotated[Text, Field(max_length=200)] | None = None
    """Title of the new session."""


class Edit(Drawing, frozen=True):
    """Change a picture as an instruction says. Give `session_id` to go on in a session, or `image`."""

    own: ClassVar[set[str]] = Drawing.own | {"origin"}

    prompt: Prompt
    """The instruction, for example: make the house blue."""
    image: GivenImage | None = None
    """The picture to change: img_…, cnd_…, job_…, an https URL or a data URL. With a session, the default is
    the picture that the session is at."""
    origin: Place | None = Field(default=None, alias="from")
    """In a session: the candidate (cnd_…), the turn (turn_…) or `root` to start from. Default: the newest."""
    mask: ImageSource | None = None
    """Only the white part of this picture may change: img_…, an https URL or a data URL."""
    negative_prompt: Prompt | None = None
    """What the picture should not show."""
    guidance_scale: Annotated[float, Field(ge=1.0, le=30.0)] | None = None
    """How closely the picture follows the instruction."""

    @model_validator(mode="after")
    def _there_is_something_to_change(self) -> Self:
        if self.session_id is None and self.image is None:
            raise fault("missing", "image: Give a picture, or the session to go on in.", "image")
        if self.session_id is None and self.origin is not None:
            raise fault("missing", "session_id: `from` is a place in a session.", "session_id")
        return self


class Vary(Drawing, frozen=True):
    """Draw a picture again with another outcome, keeping most of it."""

    own: ClassVar[set[str]] = Drawing.own | {"image", "strength"}

    image: StoredPicture
    """The drawn picture: img_… or cnd_…."""
    strength: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """Share of the picture that is drawn anew: the parts of which the model was least certain."""
    prompt: Prompt | None = None
    """Default: the prompt of the picture."""


class Extend(Drawing, frozen=True):
    """Make a drawn picture larger: the old part stays, the new part is drawn."""

    own: ClassVar[set[str]] = Drawing.own | {"image", "right", "bottom"}

    image: StoredPicture
    """The drawn picture: img_… or cnd_…."""
    right: Cells = 0
    """Columns of 8 pixels to add at the right, in steps of 4."""
    bottom: Cells = 0
    """Rows of 8 pixels to add at the bottom, in steps of 4."""
    allow_untrained_size: bool = False
    """Also draw sizes that the model was not trained for; many of these pictures turn out badly."""
    prompt: Prompt | None = None
    """What the larger picture shows. Default: the prompt of the picture."""


class Dense(Drawing, frozen=True):
    """Draw a map of a picture: its depth, segmentation or edges."""

    image: GivenImage
    """The picture: img_…, cnd_…, job_…, an https URL or a data URL."""
    target: Target
    """Kind of the map."""


class SessionTree(Arguments, frozen=True):
    """Read a session: its turns as a tree, and the picture that it is at."""

    session_id: SessionId
    after: Annotated[int, Field(ge=0, le=2**53), BeforeValidator(whole)] = 0
    """Number of the last turn of the previous page."""


class Job(Arguments, frozen=True):
    """Read a job, with its pictures if it has ended."""

    job_id: JobId
    wait_seconds: Wait = 0
    """How long to wait for its end."""


class Cancel(Arguments, frozen=True):
    """Cancel a job that waits or runs. An ended job is not changed."""

    job_id: JobId
