"""The given image of a request by the id of a candidate or of a job."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.images.sources import about_field, is_future
from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind, format_id, parse_id
from shared.job_store import NoPictureError, first_candidate
from shared.jobs import FINAL_STATES, JobState
from shared.schemas.jobs import JobRequest
from shared.tables import Candidate, Job


def resolve_image(session: Session, project_id: UUID, request: JobRequest) -> JobRequest:
    """The request with an image id in place of a candidate, or of a job that has a picture.

    The id of a job that has not ended stays: the new job will wait for it. Raises Problem that names `image`.
    """
    if request.image is None:
        return request
    found = resolve_source(session, project_id, request.image, "image")
    if is_future(found) and request.mask is not None:
        raise Problem(
            ProblemCode.INVALID_REQUEST,
            "mask: The job of the given image has not ended, and a mask needs its picture.",
            param="mask",
        )
    return request if found == request.image else request.model_copy(update={"image": found})


def resolve_source(session: Session, project_id: UUID, given: str, field: str) -> str:
    """The image id of a candidate, or of a job that has a picture; other sources stay unchanged.

    Raises Problem that names the field.
    """
    try:
        if is_future(given):
            found = picture_of_job(session, project_id, parse_id(IdKind.JOB, given))
        elif given.startswith(f"{IdKind.CANDIDATE.value}_"):
            found = picture_of_candidate(session, project_id, parse_id(IdKind.CANDIDATE, given))
        else:
            return given
    except Problem as problem:
        raise about_field(field, problem) from problem
    return given if found is None else format_id(IdKind.IMAGE, found)


def picture_of_candidate(session: Session, project_id: UUID, candidate_id: UUID) -> UUID:
    """The image id of a candidate. Raises Problem (not_found)."""
    statement = (
        select(Candidate.image_id)
        .join(Job, Job.id == Candidate.job_id)
        .where(Candidate.id == candidate_id, Job.project_id == project_id)
    )
    found = session.scalar(statement)
    if found is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no candidate with this id.")
    return found


def picture_of_job(session: Session, project_id: UUID, job_id: UUID) -> UUID | None:
    """The image id of a job's first picture; None while the job has not ended. Raises Problem."""
    statement = select(Job.id, Job.state).where(Job.id == job_id, Job.project_id == project_id)
    job = session.execute(statement).first()
    if job is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no job with this id.")
    if JobState(job.state) not in FINAL_STATES:
        return None
    picture = first_candidate(session, job.id)
    if picture is None:
        raise Problem(ProblemCode.INVALID_REQUEST, "The job has ended without a picture.")
    return picture.image_id


def no_picture(error: NoPictureError) -> Problem:
    """Problem of a parent that ended without a picture while the new job was submitted."""
    return Problem(ProblemCode.INVALID_REQUEST, f"image: {error}", param="image")
