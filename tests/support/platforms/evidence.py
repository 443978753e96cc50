"""Read what a platform has stored, directly from the servers: rows, objects, checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import boto3
import psycopg
from sqlalchemy import func, select, text

from services.worker.job.token_checkpoint import TokenCheckpoint
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.jobs import JobEvent, JobState
from shared.security import generate_webhook_secret
from shared.settings import StorageSettings
from shared.tables import (
    Base,
    Delivery,
    DeliveryTry,
    Search,
    UsageRecord,
    WaitingLine,
    WebhookEndpoint,
    WorkerRow,
)
from tests.support.platforms.platform import PlatformUnderTest

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
    """An object of the bucket, as the server lists it."""

    key: str
    etag: str
    byte_size: int
    modified: str


def stored_objects(settings: StorageSettings, project_id: UUID) -> list[StoredObject]:
    """List all objects of a project."""
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


RESTLESS_TABLES = {
    table.__tablename__ for table in (WorkerRow, Search, WaitingLine, Delivery, DeliveryTry, WebhookEndpoint)
}


def every_row(database: Database) -> dict[str, list[str]]:
    """Read every row of every table except those that change by themselves.

    Workers send heartbeats and delete empty lines as they ask for jobs; the io worker records its
    periodic searches and tries webhooks of earlier tests again.
    """
    with database.transaction() as session:
        return {
            table.name: sorted(str(tuple(row)) for row in session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in RESTLESS_TABLES
        }


def want_webhooks(platform: PlatformUnderTest) -> None:
    """Create a webhook endpoint of the project for every success."""
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
    """Check that a job succeeded once: one event, one delivery per endpoint, one usage row, all pictures."""
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
    assert [(row.images, row.tokens_done) for row in usage] == [(job.candidates, job.tokens_total)]
    assert len(deliveries) == endpoints


class CheckpointHistory:
    """Reads the checkpoints that the database has recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def saved(self, job_id: UUID) -> list[tuple[int, int]]:
        """Attempt and number of codes of each checkpoint of a job, in the order of saving."""
        with self._database.transaction() as session:
            rows = session.execute(
                text("SELECT attempt, state FROM saved_checkpoints WHERE job_id = :job ORDER BY place"),
                {"job": job_id},
            ).all()
        return [(attempt, codes_of(state)) for attempt, state in rows]

    def largest_interval(self, job_id: UUID) -> int:
        """Largest number of codes between two checkpoints of one attempt."""
        steps = pairwise(self.saved(job_id))
        return max(after - before for (first, before), (second, after) in steps if first == second)


def codes_of(checkpoint: bytes) -> int:
    """Number of codes in a checkpoint."""
    return sum(len(candidate.codes) for candidate in TokenCheckpoint.from_bytes(checkpoint).candidates)


@contextmanager
def recorded_checkpoints(database: Database, owner_url: str) -> Iterator[CheckpointHistory]:
    """Record every checkpoint inside the block, by a trigger in the database."""
    execute(owner_url, RECORD_CHECKPOINTS)
    try:
        yield CheckpointHistory(database)
    finally:
        execute(owner_url, FORGET_CHECKPOINTS)


def execute(owner_url: str, statements: str) -> None:
    """Run several statements as the role that may change the schema."""
    with psycopg.connect(owner_url) as connection:
        connection.execute(statements.encode())
