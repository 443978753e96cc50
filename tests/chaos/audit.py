"""The checks after the faults: jobs in the API, rows in the database, objects in the bucket."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing

import boto3
import psycopg
from psycopg.rows import DictRow, dict_row

from shared.ids import IdKind, parse_id
from tests.chaos.client import Client
from tests.chaos.work import SubmittedJob, token_hashes

PICTURES = f"{IdKind.PROJECT.value}_"
"""Prefix of the storage keys of all pictures: each project has its own folder."""
KEPT_PICTURES = "SELECT storage_key FROM images WHERE deleted_at IS NULL AND removing_until IS NULL"
ONCE = """
SELECT j.state, j.attempt, j.failures, j.interruptions,
    (SELECT count(*) FROM job_events e WHERE e.job_id = j.id
        AND e.kind IN ('succeeded', 'failed', 'canceled', 'expired')) AS ends,
    (SELECT count(*) FROM job_events e WHERE e.job_id = j.id AND e.kind = 'started') AS starts,
    (SELECT count(*) FROM usage_records u WHERE u.job_id = j.id) AS usages,
    (SELECT count(*) FROM checkpoints c WHERE c.job_id = j.id) AS checkpoints
FROM jobs j WHERE j.id = %s
"""


def misses(client: Client, database_url: str, jobs: Sequence[SubmittedJob]) -> Iterator[str]:
    """Yield a line for every broken guarantee of a job."""
    with psycopg.Connection[DictRow].connect(database_url, row_factory=dict_row) as connection:
        for job in jobs:
            for miss in (*_wrong_answer(client, job), *_done_twice(connection, job)):
                yield f"{job.job_id} {job.reference.body}: {miss}"


def _wrong_answer(client: Client, submitted: SubmittedJob) -> Iterator[str]:
    """Check the job's final state, its token hashes and the stored bytes of its pictures."""
    job = submitted.ended
    assert job is not None
    if submitted.canceled and job["status"] == "canceled":
        return
    if job["status"] != "succeeded":
        yield f"ended with status {job['status']}: {job['error']}"
        return
    if token_hashes(job) != submitted.reference.tokens:
        yield f"wrong token hashes: {token_hashes(job)} instead of {submitted.reference.tokens}"
    for output in job["outputs"]:
        if hashlib.sha256(client.content(output["id"])).hexdigest() != output["sha256"]:
            yield f"wrong bytes of picture {output['id']}"


def _done_twice(connection: psycopg.Connection[DictRow], submitted: SubmittedJob) -> Iterator[str]:
    """Check that every step of the job happened once, and that its checkpoint was deleted."""
    row = connection.execute(ONCE, [parse_id(IdKind.JOB, submitted.job_id)]).fetchone()
    if row is None:
        yield "the job has no row"
        return
    if row["ends"] != 1:
        yield f"{row['ends']} events of its end"
    if row["starts"] != row["attempt"]:
        yield f"{row['starts']} events of a start, {row['attempt']} attempts"
    if row["state"] == "succeeded" and row["usages"] != 1:
        yield f"{row['usages']} usage records"
    if row["failures"]:
        yield f"{row['failures']} failures"
    if row["checkpoints"]:
        yield "its checkpoint still exists"


def leaks(database_url: str, storage: dict[str, str]) -> Iterator[str]:
    """Yield a line for objects without rows, rows without objects, active jobs and idle transactions.

    storage: S3_ENDPOINT_URL, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.
    """
    with closing(psycopg.connect(database_url)) as connection:
        kept, removing = (
            {key for (key,) in connection.execute(which)}
            for which in (KEPT_PICTURES, "SELECT storage_key FROM images WHERE removing_until IS NOT NULL")
        )
        for name, count in connection.execute(
            "SELECT 'active jobs', count(*) FROM jobs WHERE state IN ('running', 'canceling')"
            " UNION ALL SELECT 'pictures without a job', count(*) FROM images i"
            " WHERE i.origin = 'generated' AND NOT EXISTS (SELECT FROM candidates c WHERE c.image_id = i.id)"
            " UNION ALL SELECT 'idle transactions', count(*) FROM pg_stat_activity"
            " WHERE state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
        ):
            if count:
                yield f"{count} {name}"
    stored = set(_stored_keys(storage))
    yield from (f"no object for {key}" for key in sorted(kept - stored))
    yield from (f"no row for object {key}" for key in sorted(stored - kept - removing))


def _stored_keys(storage: dict[str, str]) -> Iterator[str]:
    client = boto3.client(
        "s3",
        endpoint_url=storage["S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=storage["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=storage["S3_SECRET_ACCESS_KEY"],
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=storage["S3_BUCKET"], Prefix=PICTURES)
    for page in pages:
        yield from (item["Key"] for item in page.get("Contents", ()))
