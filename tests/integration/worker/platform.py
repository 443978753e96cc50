"""A platform of the test's own: what it asks for, what runs, and waiting for what comes of it."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
import uvicorn
from PIL import Image as Picture
from pydantic import SecretStr
from sqlalchemy import select
from starlette.types import ASGIApp

from infra.local.ports import HOST, free_ports
from infra.local.stack import EmbeddedStack
from services.worker.doorbells import Bell
from services.worker.gpu_worker import GpuWorker
from services.worker.settings import GpuWorkerSettings
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import NewJob, submit_job
from shared.jobs import FINAL_STATES, JobState, Queue
from shared.schemas.jobs import JobRequest
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    GatewaySettings,
    JobSettings,
    Settings,
    StorageSettings,
    TokenizerSettings,
    WorkerSettings,
)
from shared.storage import ObjectStorage, upload_folder
from shared.tables import Candidate, Checkpoint, Image, ImageTokens, Job, JobEventRow
from shared.token_grid import TokenGrid

Value = TypeVar("Value")

DEADLINE_SECONDS = 60.0
POLL_SECONDS = 0.02


def eventually(look: Callable[[], Value | None], what: str, seconds: float = DEADLINE_SECONDS) -> Value:
    """The first value of `look` that is true; fails when none comes before the deadline."""
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


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """The address of an application under uvicorn, in a thread."""
    port = free_ports(1)[0]
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, "the server's start")
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join()


def make_settings(
    stack: EmbeddedStack, database: DatabaseSettings, storage: StorageSettings, tokenizer_url: str
) -> Settings:
    """The settings of a platform on the test's own database and bucket prefix, with short leases."""
    return Settings(
        database=database,
        broker=BrokerSettings(
            broker_url=SecretStr(stack.environment["BROKER_URL"]),
            redis_url=SecretStr(stack.environment["REDIS_URL"]),
        ),
        storage=storage,
        jobs=JobSettings(lease_seconds=5.0, heartbeat_seconds=0.2, poll_seconds=0.1, checkpoint_seconds=0.05),
        gateway=GatewaySettings(),
        worker=WorkerSettings(),
        tokenizer=TokenizerSettings(url=tokenizer_url),
    )


@dataclass(frozen=True)
class JobPicture:
    """One picture of a job's answer."""

    candidate: Candidate
    image: Image
    grid: TokenGrid


@dataclass(frozen=True)
class PlatformUnderTest:
    """A database, a bucket prefix, a tokenizer service and a model; workers come and go."""

    settings: Settings
    model: Path
    database: Database
    storage: ObjectStorage
    project_id: UUID

    @contextmanager
    def working(self, **own: object) -> Iterator[GpuWorker]:
        """A worker in this process that serves every queue until the block ends."""
        values = {"model": str(self.model), "slots": 2, "device": "cpu", "dtype": "fp32"}
        worker = GpuWorker(
            self.settings, GpuWorkerSettings.model_validate(values | own), tuple(Queue), Bell()
        )
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
        """The job's row as it is now."""
        with self.database.transaction() as session:
            return session.get_one(Job, job_id)

    def finished(self, job_id: UUID) -> Job:
        """The job's row, once it has ended."""

        def look() -> Job | None:
            job = self.job(job_id)
            return job if JobState(job.state) in FINAL_STATES else None

        return eventually(look, f"the end of job {job_id}")

    def started_drawing(self, job_id: UUID) -> bytes:
        """A checkpoint of the job that has codes in it but is not complete."""

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
        """The job's history."""
        with self.database.transaction() as session:
            statement = (
                select(JobEventRow.kind).where(JobEventRow.job_id == job_id).order_by(JobEventRow.sequence)
            )
            return list(session.scalars(statement))


def noise(seed: int, width: int = 64, height: int = 64) -> Picture.Image:
    """A picture of random pixels."""
    return Picture.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
