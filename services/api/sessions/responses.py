"""Response bodies of /v1/sessions."""

from typing import Literal

from pydantic import ConfigDict, Field

from services.api.sessions.examples import LIST_EXAMPLE, SESSION_EXAMPLE, TURN_EXAMPLE
from shared.jobs import JobState
from shared.schemas.fields import Time
from shared.schemas.job_response import DescribedModel, JobErrorBody, JobMask, JobProgress, JobResponse
from shared.tasks import Task


class SessionHead(DescribedModel):
    """The picture that the next turn starts from."""

    candidate_id: str | None
    """Null if the head is the root, or the session has no picture yet."""
    turn_id: str | None
    image_id: str | None
    url: str | None
    """URL of the picture's file."""
    version: int
    """Grows with each move of the head; its ETag is this number in quotes."""
    can_undo: bool
    can_redo: bool


class HeadResponse(SessionHead):
    """The head of a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [SESSION_EXAMPLE["head"]]})

    object: Literal["session_head"] = "session_head"


class TurnParent(DescribedModel):
    """The picture that a turn starts from; all are null for a turn that starts from no picture."""

    turn_id: str | None
    candidate_id: str | None
    """Null while the parent's picture is awaited, and below the root."""
    image_id: str | None


class TurnCandidate(DescribedModel):
    """One picture of a turn."""

    id: str
    index: int
    image_id: str
    url: str
    thumbnail_url: str
    """Address of a WebP of at most 256 pixels a side."""
    width: int
    height: int
    score: float | None
    partial: bool
    starred: bool
    expired: bool
    """Whether the picture's file was deleted."""
    restorable: bool
    """Whether `POST /v1/images/{image_id}/restore` decodes the deleted file from its codes again."""


class TreeTurn(DescribedModel):
    """A turn as the tree shows it."""

    id: str
    number: int
    """Number in the session in order of submission, from 1, over all branches."""
    name: str | None
    note: str | None
    metadata: dict[str, str]
    parent: TurnParent
    job_id: str
    blocked_by: str | None
    """Id of the turn whose picture this one waits for."""
    task: Task
    prompt: str | None
    status: JobState
    progress: JobProgress
    error: JobErrorBody | None
    mask: JobMask | None
    candidates: list[TurnCandidate]
    created_at: Time
    finished_at: Time | None


class TurnResponse(TreeTurn):
    """A turn with its job."""

    model_config = ConfigDict(json_schema_extra={"examples": [TURN_EXAMPLE]})

    object: Literal["turn"] = "turn"
    session_id: str
    job: JobResponse


class SessionSummary(DescribedModel):
    """A session without its turns."""

    id: str
    object: Literal["session"] = "session"
    title: str | None
    note: str | None
    metadata: dict[str, str]
    root_image_id: str | None
    """The picture that the session was created from."""
    head: SessionHead
    turn_count: int
    """Number of turns that were not deleted."""
    created_at: Time
    updated_at: Time
    imported_from: str | None = None
    """Id of the session whose export this one was imported from, perhaps of another installation."""


class SessionResponse(SessionSummary):
    """A session with its tree of turns, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [SESSION_EXAMPLE]})

    turns: list[TreeTurn] = Field(default_factory=list[TreeTurn])
    has_more: bool
    next_cursor: int | None
    """Value of `after` for the next page of turns; null on the last page."""


class SessionList(DescribedModel):
    """One page of sessions, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [LIST_EXAMPLE]})

    object: Literal["list"] = "list"
    data: list[SessionSummary]
    has_more: bool
    next_cursor: str | None
    """Value of `after` for the next page; null on the last page."""
