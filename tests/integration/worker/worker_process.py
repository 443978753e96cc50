"""A worker as it runs in production: a process under Celery, with the settings of a platform under test."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import select

from infra.local.process import ManagedProcess
from infra.local.services import celery_worker
from services.worker.celery_app import create_celery_app
from services.worker.doorbells import ring_doorbell
from shared.jobs import JobState, Queue
from shared.settings import PARTS, BrokerSettings, Settings
from shared.tables import WorkerRow
from tests.integration.processes import WORKER_READY, Member
from tests.integration.worker.platform import PlatformUnderTest, eventually

ROOT = Path(__file__).parents[3]
LISTENS = "worker@"
"""Celery greets with the worker's name when it consumes from the broker."""
NOT_SOON = "600"
"""Seconds between two looks of an idle slot, longer than any test waits: only a doorbell wakes it."""
BEATS = 3
"""Heartbeats that pass over a waiting job before we believe that nobody looks for it."""


def variables_of(settings: Settings) -> dict[str, str]:
    """The settings as an environment."""
    variables: dict[str, str] = {}
    for name, part in PARTS.items():
        prefix = part.model_config.get("env_prefix", "")
        for key, value in getattr(settings, name):
            if value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                variables[f"{prefix}{key}".upper()] = text
    return variables


@contextmanager
def working_process(
    platform: PlatformUnderTest, folder: Path, broker_url: str, **variables: str
) -> Iterator[Member]:
    """A worker of one slot that hears doorbells, until the block ends."""
    service = celery_worker("worker", ",".join(Queue), 2, 20.0)
    environment = {
        **variables_of(platform.settings),
        "BROKER_URL": broker_url,
        "WORKER_MODEL": str(platform.model),
        "WORKER_SLOTS": "1",
        "WORKER_DEVICE": "cpu",
        "WORKER_DTYPE": "fp32",
        "JOB_POLL_SECONDS": NOT_SOON,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    spec = service.spec.with_environment(environment | variables)
    worker = Member(ManagedProcess(spec, folder / "worker.log"), ready_words=(*WORKER_READY, LISTENS))
    try:
        worker.start()
        yield worker
    finally:
        worker.process.stop()
    assert "a thread has died" not in worker.log(), worker.log()


def ring(broker_url: str) -> None:
    """Send a doorbell as the io worker does."""
    with create_celery_app(BrokerSettings(broker_url=SecretStr(broker_url))) as app:
        ring_doorbell(app, Queue.GENERATE, 1)


def overlooked_job(platform: PlatformUnderTest) -> UUID:
    """A job that waits although a worker is idle, because every slot of it waits for a doorbell."""
    while not is_passed_over(platform, job_id := platform.ask()):
        platform.finished(job_id)
    return job_id


def is_passed_over(platform: PlatformUnderTest, job_id: UUID) -> bool:
    """Whether the job still waits after several heartbeats of the worker."""
    for _ in range(BEATS):
        before = last_heartbeat(platform)
        eventually(lambda before=before: last_heartbeat(platform) != before, "a heartbeat")
    return platform.job(job_id).state == JobState.QUEUED


def last_heartbeat(platform: PlatformUnderTest) -> Mapping[str, object]:
    """When each worker was alive."""
    with platform.database.transaction() as session:
        return {row.id: row.heartbeat_at for row in session.scalars(select(WorkerRow))}
