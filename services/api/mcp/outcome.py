"""What a tool says about a job: facts for programs, sentences for language models. Pure functions."""

from typing import Any

from pydantic import BaseModel, Field

from services.api.mcp.pictures import resource_of
from shared.ids import IdKind, format_id
from shared.job_view.view import JobRows, view_job
from shared.jobs import FINAL_STATES, JobState
from shared.schemas.job_response import JobErrorBody
from shared.tables import Turn
from shared.tasks import Task


class DrawnPicture(BaseModel):
    """A picture of a job. `resource` is its address in this protocol, `url` that of the PNG, with the key."""

    image_id: str
    candidate_id: str
    resource: str
    url: str
    width: int
    height: int
    score: float | None
    partial: bool
    expired: bool


class JobFacts(BaseModel):
    """A job as tools show it."""

    job_id: str
    status: JobState
    task: Task
    prompt: str | None
    seed: int | None
    session_id: str | None = None
    turn_id: str | None = None
    tokens_done: int
    tokens_total: int
    eta_seconds: float | None = None
    pictures: list[DrawnPicture] = Field(default_factory=list[DrawnPicture])
    warnings: list[Any] = Field(default_factory=list[Any])
    error: JobErrorBody | None = None


def facts_of(rows: JobRows, turn: Turn | None, public_url: str) -> JobFacts:
    """The facts of a job. turn: its place in a session, if it has one."""
    job = view_job(rows, public_url)
    return JobFacts(
        job_id=job.id,
        status=job.status,
        task=job.task,
        prompt=job.request.get("prompt"),
        seed=job.request.get("seed"),
        session_id=None if turn is None else format_id(IdKind.SESSION, turn.session_id),
        turn_id=None if turn is None else format_id(IdKind.TURN, turn.id),
        tokens_done=job.progress.tokens_done,
        tokens_total=job.progress.tokens_total,
        eta_seconds=job.progress.eta_p50 or job.progress.eta_seconds,
        pictures=[
            DrawnPicture(
                image_id=output.id,
                candidate_id=output.candidate_id,
                resource=resource_of(drawn.image),
                url=output.png_url,
                width=output.width,
                height=output.height,
                score=output.score,
                partial=output.partial,
                expired=output.expired,
            )
            for output, drawn in zip(job.outputs, rows.outputs, strict=True)
        ],
        warnings=[warning.model_dump(mode="json") for warning in job.warnings],
        error=job.error,
    )


def sentences(facts: JobFacts) -> str:
    """The facts for a language model, with what to do next."""
    lines = [f"Job {facts.job_id} is {facts.status}."]
    lines += [
        f"Picture {number}: {picture.image_id}, candidate {picture.candidate_id}, "
        f"{picture.width}x{picture.height}{', partly drawn' if picture.partial else ''}"
        f"{', expired' if picture.expired else ''}: {picture.url}"
        for number, picture in enumerate(facts.pictures, 1)
    ]
    if facts.seed is not None and facts.pictures:
        lines.append(f"Seed {facts.seed} draws the same again.")
    lines += [str(warning.get("message", warning)) for warning in facts.warnings]
    if facts.error is not None:
        lines.append(f"{facts.error.message} {facts.error.hint}")
    if facts.session_id is not None:
        lines.append(f"To change it, call edit with session_id {facts.session_id}.")
    if facts.status not in FINAL_STATES:
        lines.append(f"It goes on: call job with job_id {facts.job_id} and wait_seconds.")
    return "\n".join(lines)
