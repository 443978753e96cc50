"""Rows of one project in all of its tables, for tests of what other projects see."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import select

from shared.database import Database
from shared.job_store import succeed_job
from shared.job_store.clock import time_after
from shared.tables import (
    ApiKey,
    AuditEntry,
    Base,
    Candidate,
    Checkpoint,
    Delivery,
    DeliveryTry,
    IdempotencyRecord,
    Job,
    JobEstimate,
    OpenAIBatch,
    OpenAIBatchLine,
    OpenAIFile,
    PictureFingerprint,
    PictureRestore,
    ResponseRow,
    SessionRow,
    Turn,
    UndecodedPicture,
    WebhookEndpoint,
)
from tests.support.factories import must_claim, one_picture, queue_job

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fill_all_tables(database: Database, project_id: UUID) -> None:
    """Draw a job, let another one wait, and add what belongs to both and to the project."""
    job_id = queue_job(database, project_id)
    with database.transaction() as session:
        succeed_job(session, must_claim(database).lease, one_picture())
    queue_job(database, project_id)
    with database.transaction() as session:
        candidate = session.scalars(select(Candidate).where(Candidate.job_id == job_id)).one()
        session_id, endpoint_id, delivery_id, batch_id = (uuid4() for _ in range(4))
        for rows in (
            of_the_project(project_id, session_id, endpoint_id, batch_id),
            of_the_job(session.get_one(Job, job_id), candidate.image_id, session_id),
            [
                Delivery(
                    id=delivery_id,
                    endpoint_id=endpoint_id,
                    job_id=job_id,
                    sequence=1,
                    event_type="job.succeeded",
                ),
                OpenAIBatchLine(batch_id=batch_id, number=1, custom_id="a", start=0, size=1),
            ],
            [
                DeliveryTry(
                    delivery_id=delivery_id,
                    number=1,
                    url="https://example.org",
                    signature="v1,x",
                    sent_at=NOW,
                    seconds=1,
                ),
            ],
        ):
            session.add_all(rows)
            session.flush()


def of_the_project(project_id: UUID, session_id: UUID, endpoint_id: UUID, batch_id: UUID) -> list[Base]:
    """Rows that belong to the project itself."""
    return [
        ApiKey(project_id=project_id, name="key", hint="lum_", sha256=uuid4().bytes * 2),
        AuditEntry(project_id=project_id, action="job.canceled", target="job"),
        IdempotencyRecord(
            project_id=project_id, key="key", request_sha256=bytes(32), expires_at=time_after(3600)
        ),
        OpenAIFile(
            project_id=project_id, purpose="batch", file_name="a", byte_size=1, storage_key="a", part_bytes=1
        ),
        OpenAIBatch(
            id=batch_id,
            project_id=project_id,
            key_id=uuid4(),
            endpoint="/v1/images/generations",
            input_file_id=uuid4(),
            completion_window="24h",
            expires_at=time_after(3600),
        ),
        SessionRow(id=session_id, project_id=project_id),
        WebhookEndpoint(
            id=endpoint_id,
            project_id=project_id,
            url="https://example.org",
            event_types=["job.*"],
            secret=bytes(32),
        ),
    ]


def of_the_job(job: Job, image_id: UUID, session_id: UUID) -> list[Base]:
    """Rows that belong to a drawn job and its picture."""
    return [
        Checkpoint(job_id=job.id, attempt=1, state=b"codes"),
        JobEstimate(job_id=job.id, done_p50=NOW, done_p90=NOW),
        UndecodedPicture(job_id=job.id, position=0, grid=bytes(9), png_text={}, partial=True),
        PictureFingerprint(
            image_id=image_id, tokenizer="tiny", pixels_sha256=bytes(32), tokens_sha256=bytes(32), runs=[1]
        ),
        PictureRestore(image_id=image_id, folder="folder"),
        Turn(session_id=session_id, number=1, job_id=job.id),
        ResponseRow(
            id=job.id,
            project_id=job.project_id,
            session_id=session_id,
            job_id=job.id,
            request={},
            input={"items": []},
        ),
    ]
