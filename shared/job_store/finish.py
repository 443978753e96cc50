"""End an attempt with success, failure or confirmed cancellation, each in one fenced transaction."""

from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from shared.job_errors import JobError
from shared.job_store.children import start_children
from shared.job_store.clock import time_after
from shared.job_store.records import Answer, Lease, LeaseLostError, Output
from shared.job_store.session_head import follow_turn
from shared.job_store.transitions import held_by, transition_held
from shared.jobs import JobEvent, JobState, event_after_failure, retry_delay
from shared.tables import (
    Candidate,
    Checkpoint,
    Image,
    ImageOrigin,
    ImageTokens,
    Job,
    JobRequestRow,
    PictureFingerprint,
    Project,
    UndecodedPicture,
    UsageRecord,
)


def succeed_job(session: Session, lease: Lease, answer: Answer) -> Job:
    """Store the answer and end the job, also if its cancellation came too late. Raises LeaseLostError."""
    job = transition_held(session, JobEvent.SUCCEEDED, lease, data={"outputs": len(answer.outputs)})
    store_answer(session, job, answer)
    start_children(session, job.id)
    follow_turn(session, job.id)
    return job


def confirm_cancel(session: Session, lease: Lease, answer: Answer | None = None) -> Job:
    """End a canceling job and keep what was drawn. Raises LeaseLostError.

    The event's `outputs` counts the job's pictures, including those that are still to be decoded.
    """
    outputs = len(answer.outputs) + len(answer.undecoded) if answer else 0
    job = transition_held(session, JobEvent.CANCELED, lease, data={"outputs": outputs})
    if answer is not None:
        store_answer(session, job, answer)
    return job


def fail_job(session: Session, lease: Lease, error: JobError) -> Job:
    """Count a failure and queue the job again, or end it as failed. Raises LeaseLostError.

    A canceling job is canceled instead.
    """
    held = session.scalars(
        select(Job).where(held_by(lease)).with_for_update().execution_options(populate_existing=True)
    ).first()
    if held is None:
        raise LeaseLostError(f"attempt {lease.attempt} does not hold job {lease.job_id}")
    failures = held.failures + 1
    data = {"code": error.code.value, "message": error.message}
    if held.state == JobState.CANCELING:
        return transition_held(session, JobEvent.CANCELED, lease, {"failures": failures}, data)
    event = event_after_failure(retryable=error.retryable, failures=failures, max_failures=held.max_failures)
    if event is JobEvent.RETRYING:
        values = {"failures": failures, "available_at": time_after(retry_delay(failures))}
    else:
        values = {"failures": failures, "error_code": error.code.value, "error_message": error.message}
    return transition_held(session, event, lease, values, data)


def store_answer(session: Session, job: Job, answer: Answer) -> None:
    """Write the answer's pictures, grids, candidates and usage, and delete the checkpoint."""
    if answer.scores is not None:
        session.execute(
            update(Job)
            .where(Job.id == job.id)
            .values(scores=list(answer.scores))
            .execution_options(synchronize_session=False)
        )
    for position, output in enumerate(answer.outputs):
        store_output(session, job.project_id, job.id, position, output)
    for undecoded in answer.undecoded:
        session.add(
            UndecodedPicture(
                job_id=job.id,
                position=undecoded.position,
                grid=undecoded.grid.to_bytes(),
                png_text=dict(undecoded.png_text),
                score=undecoded.score,
                partial=undecoded.partial,
            )
        )
    record_usage(session, job, answer)
    session.execute(delete(Checkpoint).where(Checkpoint.job_id == job.id))


def record_usage(session: Session, job: Job, answer: Answer) -> None:
    """Write the job's usage, with the API key that submitted the job and the model that drew it."""
    key = select(JobRequestRow.api_key_id).where(JobRequestRow.job_id == job.id)
    session.execute(
        insert(UsageRecord).values(
            job_id=job.id,
            project_id=job.project_id,
            task=job.task,
            images=answer.usage.images,
            prompt_tokens=answer.usage.prompt_tokens,
            tokens_done=answer.usage.tokens_done,
            compute_seconds=answer.usage.compute_seconds,
            api_key_id=key.scalar_subquery(),
            model=answer.model,
        )
    )


def store_output(session: Session, project_id: UUID, job_id: UUID, position: int, output: Output) -> None:
    """Write one picture of a job's answer with its grid and its candidate."""
    image = Image(
        project_id=project_id,
        origin=ImageOrigin.GENERATED.value,
        media_type=output.image.media_type,
        storage_key=output.image.storage_key,
        sha256=output.image.sha256,
        byte_size=output.image.byte_size,
        width=output.image.width,
        height=output.image.height,
        canvas_id=None if output.canvas is None else output.canvas.image_id,
        canvas_sha256=None if output.canvas is None else output.canvas.tokens_sha256,
    )
    session.add(image)
    session.flush()
    session.add(
        ImageTokens(
            image_id=image.id,
            tokenizer=output.tokenizer,
            width=output.image.width,
            height=output.image.height,
            grid=output.grid.to_bytes(),
            sha256=bytes.fromhex(output.grid.sha256()),
            certainty=output.certainty,
        )
    )
    if output.fingerprint is not None and registers_pictures(session, project_id):
        session.add(
            PictureFingerprint(
                image_id=image.id,
                tokenizer=output.tokenizer,
                pixels_sha256=output.fingerprint.pixels_sha256,
                tokens_sha256=bytes.fromhex(output.grid.sha256()),
                runs=output.fingerprint.runs,
            )
        )
    session.add(
        Candidate(
            job_id=job_id,
            image_id=image.id,
            position=position,
            score=output.score,
            partial=output.partial,
            drawn_index=output.drawn_index,
            changed_cells=output.changed_cells,
        )
    )


def registers_pictures(session: Session, project_id: UUID) -> bool:
    """Whether the project's pictures are added to the registry."""
    return bool(session.scalar(select(Project.fingerprints).where(Project.id == project_id)))
