"""What is left behind, read from the servers themselves: every row, every object, every checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import boto3
from sqlalchemy import func, select, text

from services.worker.token_checkpoint import TokenCheckpoint
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.jobs import JobEvent, JobState
from shared.security import generate_webhook_secret
from shared.settings import StorageSettings
from shared.tables import Base, Delivery, UsageRecord, WebhookEndpoint, WorkerRow
from tests.integration.worker.platform import PlatformUnderTest

SUCCEEDED = f"job.{JobEvent.SUCCEEDED}"

RECORD_CHECKPOINTS = """
CREATE TABLE saved_checkpoints (
    place bigint GENERATED ALWAYS AS IDENTITY, job_id uuid, attempt int, state bytea
);
CREATE FUNCTION record_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO saved_checkpoints (job_id, attempt, state) VALUES (NEW.job_id, NEW.attempt, NEW.state);
    RETURN NEW;
END $$;
CREATE TRIGGER record_checkpoint AFTER INSERT OR UPDATE ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION record_checkpoint();
"""
FORGET_CHECKPOINTS = """
DROP TRIGGER record_checkpoint ON checkpoints;
DROP FUNCTION record_checkpoint;
DROP TABLE saved_checkpoints;
"""


@dataclass(frozen=True)
class StoredObject:
    """One object of the bucket, as the server describes it."""

    key: str
    etag: str
    byte_size: int
    modified: str


def stored_objects(settings: StorageSettings, project_id: UUID) -> list[StoredObject]:
    """All objects of a project."""
    assert settings.access_key_id is not None
    assert settings.secret_access_key is not None
    client = boto3.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id.get_secret_value(),
        aws_secret_access_key=settings.secret_access_key.get_secret_value(),
    )
    prefix = f"{settings.prefix}{format_id(IdKind.PROJECT, project_id)}/"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket, Prefix=prefix)
    found = [item for page in pages for item in page.get("Contents", ())]
    return [
        StoredObject(item["Key"], item["ETag"], item["Size"], item["LastModified"].isoformat())
        for item in found
    ]


def every_row(database: Database) -> dict[str, list[str]]:
    """Every row of every table but the workers' own heartbeats."""
    with database.transaction() as session:
        return {
            table.name: sorted(str(tuple(row)) for row in session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name != WorkerRow.__tablename__
        }


def want_webhooks(platform: PlatformUnderTest) -> None:
    """An endpoint of the project that wants to hear of every success."""
    with platform.database.transaction() as session:
        session.add(
            WebhookEndpoint(
                project_id=platform.project_id,
                url="http://127.0.0.1:1/hook",
                secret=generate_webhook_secret(),
                event_types=[SUCCEEDED],
            )
        )


def assert_done_exactly_once(platform: PlatformUnderTest, job_id: UUID) -> None:
    """One success, told once, with one picture and one row of usage, whatever happened on the way."""
    job, events = platform.job(job_id), platform.events(job_id)
    assert job.state == JobState.SUCCEEDED, (job.error_code, job.error_message)
    assert (job.failures, events.count("succeeded")) == (0, 1)
    assert events.count("started") == job.attempt == job.interruptions + 1
    assert len(platform.outputs(job_id)) == job.candidates
    with platform.database.transaction() as session:
        usage = session.scalars(select(UsageRecord).where(UsageRecord.job_id == job_id)).all()
        endpoints = session.scalar(
            select(func.count())
            .select_from(WebhookEndpoint)
            .where(WebhookEndpoint.project_id == platform.project_id)
        )
        deliveries = session.scalars(
            select(Delivery).where(Delivery.job_id == job_id, Delivery.event_type == SUCCEEDED)
        ).all()
    assert [(row.images, row.image_tokens) for row in usage] == [(job.candidates, job.tokens_total)]
    assert len(deliveries) == endpoints


class CheckpointHistory:
    """Every checkpoint that was ever saved, recorded by the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def saved(self, job_id: UUID) -> list[tuple[int, int]]:
        """(attempt, codes) of each checkpoint of a job, in the order of saving."""
        with self._database.transaction() as session:
            rows = session.execute(
                text("SELECT attempt, state FROM saved_checkpoints WHERE job_id = :job ORDER BY place"),
                {"job": job_id},
            ).all()
        return [(attempt, codes_of(state)) for attempt, state in rows]

    def largest_interval(self, job_id: UUID) -> int:
        """Most codes between two checkpoints of one attempt."""
        steps = pairwise(self.saved(job_id))
        return max(after - before for (first, before), (second, after) in steps if first == second)


def codes_of(checkpoint: bytes) -> int:
    """How many codes a checkpoint holds."""
    return sum(len(candidate.codes) for candidate in TokenCheckpoint.from_bytes(checkpoint).candidates)


@contextmanager
def recorded_checkpoints(database: Database) -> Iterator[CheckpointHistory]:
    """Let the database record every checkpoint inside the block."""
    execute(database, RECORD_CHECKPOINTS)
    try:
        yield CheckpointHistory(database)
    finally:
        execute(database, FORGET_CHECKPOINTS)


def execute(database: Database, statements: str) -> None:
    """Run several statements."""
    with database.transaction() as session:
        session.connection().exec_driver_sql(statements)
