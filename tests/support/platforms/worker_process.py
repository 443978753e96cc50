"""Run a worker as in production, a process under Celery, with the settings of a platform under test."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import select

from infra.local.process import ManagedProcess
from infra.local.services import celery_worker
from services.worker.broker.celery_app import create_celery_app
from services.worker.broker.doorbells import ring_doorbell
from services.worker.settings import GpuWorkerProcessSettings
from shared.jobs import JobState, Queue
from shared.settings import BrokerSettings
from shared.tables import WorkerRow
from tests.support.platforms.platform import PlatformUnderTest, eventually
from tests.support.servers.processes import WORKER_READY, Member

ROOT = Path(__file__).parents[3]
LISTENS = "worker@"
"""Celery logs the worker's name when it begins to consume from the broker."""
NOT_SOON = "600"
"""Poll interval in seconds, longer than any test waits, so that only a doorbell wakes an idle slot."""
BEATS = 3
"""Number of heartbeats after which a job that still waits counts as overlooked."""


def variables_of(settings: GpuWorkerProcessSettings) -> dict[str, str]:
    """The settings as environment variables."""
    variables: dict[str, str] = {}
    for name, part in settings.parts().items():
        prefix = part.model_config.get("env_prefix", "")
        for key, value in getattr(settings, name):
            if value is not None:
                variables[f"{prefix}{key}".upper()] = as_text(value)
    return variables


def as_text(value: object) -> str:
    """The value of a setting as its variable contains it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


@contextmanager
def working_process(
    platform: PlatformUnderTest, folder: Path, broker_url: str, **variables: str
) -> Iterator[Member]:
    """Run a worker with one slot, which only doorbells wake, until the block ends."""
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
    """Queue a job that waits although a worker is idle, because its slots wait for a doorbell."""
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
    """The last heartbeat of each worker."""
    with platform.database.transaction() as session:
        return {row.id: row.heartbeat_at for row in session.scalars(select(WorkerRow))}
