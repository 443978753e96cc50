"""The gateway is killed while clients submit jobs: each idempotency key makes one job."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import func, select, update

from shared.ids import IdKind, parse_id
from shared.job_store.clock import time_after
from shared.jobs import JobState
from shared.tables import IdempotencyRecord, Job
from tests.support.gateway.running import make_key
from tests.support.platforms.evidence import assert_done_exactly_once
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

CLIENTS = 4
SUBMISSIONS = 40
KILLED_AFTER = (5, 25)
"""Numbers of queued jobs at which the gateway is killed."""


@pytest.fixture
def token(platform: PlatformUnderTest) -> str:
    """An API key of the test's project."""
    return make_key(platform.database, platform.project_id)


@pytest.fixture
def client(installation: Installation, token: str) -> Iterator[httpx2.Client]:
    """A client of the gateway with the project's key."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=installation.gateway_url, headers=headers, timeout=10.0) as client:
        yield client


def submit_once(client: httpx2.Client, key: str, seed: int) -> str | None:
    """Try once to submit a job; return its id, or None without a final answer."""
    body = {"prompt": "a red circle", "size": "64x64", "seed": seed}
    try:
        answer = client.post("/v1/jobs", headers={"Idempotency-Key": key}, json=body)
    except httpx2.TransportError:
        return None
    if answer.status_code == HTTPStatus.CONFLICT or answer.is_server_error:
        return None
    assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
    return str(answer.json()["id"])


def queued_jobs(platform: PlatformUnderTest) -> int:
    """Number of the project's jobs."""
    with platform.database.transaction() as session:
        count = select(func.count()).select_from(Job).where(Job.project_id == platform.project_id)
        return session.scalars(count).one()


def let_claims_run_out(platform: PlatformUnderTest) -> None:
    """Expire the claims of idempotency keys now, which otherwise takes a minute after a gateway's death."""
    with platform.database.transaction() as session:
        session.execute(
            update(IdempotencyRecord)
            .where(
                IdempotencyRecord.project_id == platform.project_id,
                IdempotencyRecord.response_status.is_(None),
            )
            .values(expires_at=time_after(-1))
        )


def test_every_key_makes_one_job_however_often_the_gateway_dies(
    installation: Installation, platform: PlatformUnderTest, client: httpx2.Client
) -> None:
    def submit(seed: int) -> str:
        key = str(uuid4())
        ask = partial(submit_once, client, key, seed)
        return eventually(ask, f"an answer to submission {seed}")

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(submit, seed) for seed in range(SUBMISSIONS)]
        for queued in KILLED_AFTER:
            eventually(lambda: queued_jobs(platform) >= queued, f"{queued} jobs")  # noqa: B023  (called now)
            installation.gateway.kill()
            installation.gateway.start()
            let_claims_run_out(platform)
        ids = [answer.result() for answer in answers]

    assert len(set(ids)) == SUBMISSIONS == queued_jobs(platform)
    for job_id in (parse_id(IdKind.JOB, public) for public in ids):
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        assert_done_exactly_once(platform, job_id)
