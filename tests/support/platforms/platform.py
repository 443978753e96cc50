"""A platform of one test: submit jobs, run workers, and wait for results."""

import asyncio
import io
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import uvicorn
from PIL import Image as Picture
from pydantic import SecretStr
from sqlalchemy import select
from starlette.types import ASGIApp

from infra.local.ports import HOST, free_ports
from infra.local.stack import EmbeddedStack
from services.worker.broker.doorbells import Bell
from services.worker.gpu_worker import GpuWorker
from services.worker.health import Health
from services.worker.settings import GpuWorkerProcessSettings, GpuWorkerSettings
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import NewJob, submit_job
from shared.jobs import FINAL_STATES, JobState, Queue
from shared.schemas.jobs import JobRequest
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    JobSettings,
    StorageSettings,
    TokenizerAddress,
)
from shared.storage import ObjectStorage, upload_folder
from shared.tables import Candidate, Checkpoint, Image, ImageTokens, Job, JobEventRow
from shared.token_grid import TokenGrid

Value = TypeVar("Value")

DEADLINE_SECONDS = 60.0
POLL_SECONDS = 0.02


def eventually(look: Callable[[], Value | None], what: str, seconds: float = DEADLINE_SECONDS) -> Value:
    """Return the first true value of `look`. Fails if there is none before the deadline."""
    expired = threading.Event()
    timer = threading.Timer(seconds, expired.set)
    timer.daemon = True
    timer.start()
    try:
        while not expired.is_set():
            if value := look():
                return value
            expired.wait(POLL_SECONDS)
    finally:
        timer.cancel()
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


SHUTDOWN_SECONDS = 30.0


@contextmanager
def serve(app: ASGIApp, **options: Any) -> Iterator[str]:
    """Run an application with uvicorn in a thread and yield its URL. options: of uvicorn, such as TLS."""
    port = free_ports(1)[0]
    # a worker that a failed test has left behind may wait for a picture and must not delay the shutdown
    config = uvicorn.Config(
        app, host=HOST, port=port, log_level="error", ws="none", timeout_graceful_shutdown=5, **options
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, "the server's start")
        yield f"{'https' if options.get('ssl_certfile') else 'http'}://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join(SHUTDOWN_SECONDS)
        assert not thread.is_alive(), f"the server does not end; it is at\n{stacks_of(thread, server)}"


def stacks_of(thread: threading.Thread, server: uvicorn.Server) -> str:
    """The stack of a server's thread, and where each task of its event loop waits."""
    frame = sys._current_frames().get(thread.ident or 0)
    lines = traceback.format_stack(frame) if frame else []
    for listener in server.servers:
        for task in asyncio.all_tasks(listener.get_loop()):
            lines += [f"{task.get_name()} waits at\n", *waits(task.get_coro())]
    return "".join(lines)


def waits(coroutine: object) -> Iterator[str]:
    """The lines at which a coroutine and those that it awaits stand, from the outermost to the innermost."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else repr(coroutine)
        yield f"  {place}\n"
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)


def make_settings(
    stack: EmbeddedStack, database: DatabaseSettings, storage: StorageSettings, tokenizer_url: str
) -> GpuWorkerProcessSettings:
    """Settings of a platform with its own database and bucket prefix, and with short leases."""
    return GpuWorkerProcessSettings(
        database=database,
        broker=BrokerSettings(
            broker_url=SecretStr(stack.environment["BROKER_URL"]),
            redis_url=SecretStr(stack.environment["REDIS_URL"]),
        ),
        storage=storage,
        jobs=JobSettings(lease_seconds=5.0, heartbeat_seconds=0.2, poll_seconds=0.1, checkpoint_seconds=0.05),
        worker=GpuWorkerSettings(),
        tokenizer=TokenizerAddress(url=tokenizer_url),
    )


@dataclass(frozen=True)
class JobPicture:
    """One picture of a job's answer."""

    candidate: Candidate
    image: Image
    grid: TokenGrid


@dataclass(frozen=True)
class PlatformUnderTest:
    """A database, a bucket prefix, a tokenizer service and a model; the test starts and stops workers."""

    settings: GpuWorkerProcessSettings
    model: Path
    database: Database
    storage: ObjectStorage
    project_id: UUID

    @contextmanager
    def working(self, **own: object) -> Iterator[GpuWorker]:
        """Run a worker in this process that serves every queue until the block ends."""
        values = {"model": str(self.model), "slots": 2, "device": "cpu", "dtype": "fp32"}
        settings = self.settings.model_copy(update={"worker": GpuWorkerSettings.model_validate(values | own)})
        worker = GpuWorker(settings, tuple(Queue), Bell(), Health())
        worker.start()
        try:
            yield worker
        finally:
            worker.drain.request()
            assert worker.drain.wait()

    def ask(self, **request: object) -> UUID:
        """Queue a job as the gateway does."""
        asked = JobRequest.model_validate({"prompt": "a red circle", "seed": 7, "size": "64x64"} | request)
        new = NewJob(
            project_id=self.project_id,
            queue=asked.queue,
            task=asked.task.value,
            request=asked.model_dump(mode="json", exclude_none=True),
            max_failures=3,
            candidates=asked.n,
            start_by=asked.start_by,
            finish_by=asked.finish_by,
            numerics=asked.numerics,
        )
        with self.database.transaction() as session:
            return submit_job(session, new).id

    def upload(self, picture: Picture.Image) -> str:
        """Store a picture as the gateway does, and return its public id."""
        with closing(io.BytesIO()) as buffer:
            picture.save(buffer, format="PNG")
            stored = self.storage.put_image(upload_folder(self.project_id), buffer.getvalue(), "image/png")
        with self.database.transaction() as session:
            image = Image(
                project_id=self.project_id,
                origin="uploaded",
                media_type="image/png",
                storage_key=stored.key,
                sha256=stored.sha256,
                byte_size=stored.byte_size,
                width=picture.width,
                height=picture.height,
            )
            session.add(image)
            session.flush()
            return format_id(IdKind.IMAGE, image.id)

    def job(self, job_id: UUID) -> Job:
        """Read the job's row."""
        with self.database.transaction() as session:
            return session.get_one(Job, job_id)

    def finished(self, job_id: UUID) -> Job:
        """Wait until the job has ended and return its row."""

        def look() -> Job | None:
            job = self.job(job_id)
            return job if JobState(job.state) in FINAL_STATES else None

        return eventually(look, f"the end of job {job_id}")

    def started_drawing(self, job_id: UUID) -> bytes:
        """Wait for a checkpoint of the job that has some codes but not all, and return it."""

        def look() -> bytes | None:
            with self.database.transaction() as session:
                job, checkpoint = session.get_one(Job, job_id), session.get(Checkpoint, job_id)
            drawn = checkpoint is not None and 0 < job.tokens_done < job.tokens_total
            return checkpoint.state if drawn and checkpoint else None

        return eventually(look, f"a checkpoint of job {job_id}")

    def outputs(self, job_id: UUID) -> list[JobPicture]:
        """The job's pictures in the order of its answer."""
        with self.database.transaction() as session:
            rows = session.execute(
                select(Candidate, Image, ImageTokens.grid)
                .join(Image, Image.id == Candidate.image_id)
                .join(ImageTokens, ImageTokens.image_id == Image.id)
                .where(Candidate.job_id == job_id)
                .order_by(Candidate.position)
            ).all()
        return [JobPicture(candidate, image, TokenGrid.from_bytes(grid)) for candidate, image, grid in rows]

    def events(self, job_id: UUID) -> list[str]:
        """The job's events, in order."""
        with self.database.transaction() as session:
            statement = (
                select(JobEventRow.kind).where(JobEventRow.job_id == job_id).order_by(JobEventRow.sequence)
            )
            return list(session.scalars(statement))


def noise(seed: int, width: int = 64, height: int = 64) -> Picture.Image:
    """A picture of random pixels."""
    return Picture.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
