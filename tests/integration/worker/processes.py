"""Workers as processes of their own, started by the command that production uses."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.local.process import ManagedProcess, ProcessSpec
from shared.settings import Settings
from tests.integration.worker.platform import eventually

ROOT = Path(__file__).parents[3]
JOB_QUEUES = "generate,edit,dense"


def environment_of(settings: Settings, model: Path) -> dict[str, str]:
    """The variables from which a process reads these settings."""
    storage, jobs = settings.storage, settings.jobs
    assert storage.access_key_id is not None
    assert storage.secret_access_key is not None
    assert settings.broker.redis_url is not None
    return {
        "DATABASE_URL": settings.database.url.get_secret_value(),
        "BROKER_URL": settings.broker.broker_url.get_secret_value(),
        "REDIS_URL": settings.broker.redis_url.get_secret_value(),
        "S3_BUCKET": storage.bucket,
        "S3_ENDPOINT_URL": storage.endpoint_url or "",
        "S3_ACCESS_KEY_ID": storage.access_key_id.get_secret_value(),
        "S3_SECRET_ACCESS_KEY": storage.secret_access_key.get_secret_value(),
        "S3_PREFIX": storage.prefix,
        "JOB_LEASE_SECONDS": str(jobs.lease_seconds),
        "JOB_HEARTBEAT_SECONDS": str(jobs.heartbeat_seconds),
        "JOB_POLL_SECONDS": str(jobs.poll_seconds),
        "JOB_CHECKPOINT_SECONDS": str(jobs.checkpoint_seconds),
        "TOKENIZER_URL": settings.tokenizer.url,
        "WORKER_MODEL": str(model),
        "WORKER_SLOTS": "2",
        "WORKER_DEVICE": "cpu",
        "WORKER_DTYPE": "fp32",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }


def celery_worker(name: str, queues: str, environment: Mapping[str, str], folder: Path) -> ManagedProcess:
    """A started Celery worker; its log lies in `folder`."""
    command = [
        *(sys.executable, "-m", "celery", "--app", "services.worker.app", "worker"),
        *("--pool", "threads", "--concurrency", "2", "--queues", queues, "--hostname", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
    ]
    process = ManagedProcess(
        ProcessSpec(name, command, environment, stop_seconds=20.0), folder / f"{name}.log"
    )
    process.start()
    return process


@contextmanager
def gpu_worker(name: str, environment: Mapping[str, str], folder: Path) -> Iterator[ManagedProcess]:
    """A GPU worker up to the moment when it claims; killed, if it still runs, when the block ends."""
    process = celery_worker(name, JOB_QUEUES, environment, folder)
    try:
        eventually(lambda: says(process, "worker ready"), f"the start of {name}")
        yield process
    finally:
        process.stop()


def says(process: ManagedProcess, words: str) -> bool:
    """Whether the process has logged these words. Fails when it has ended without them."""
    log = process.log_file.read_text(errors="replace")
    if words in log:
        return True
    assert process.exit_status() is None, log
    return False


def exited(process: ManagedProcess) -> int:
    """The exit status, once there is one."""
    eventually(lambda: process.exit_status() is not None, f"the end of {process.name}")
    status = process.exit_status()
    assert status is not None
    return status
