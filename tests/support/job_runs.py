"""A job runner on a real engine whose database, tokenizer service and object storage live in memory.

The engine runs by itself after `host.start()`; before, a test steps it with `host.engine.step()`.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from uuid import UUID

from PIL import Image

from services.worker.claiming.attempts import Attempt
from services.worker.claiming.errands import Errands
from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.job.candidates import Recipe
from services.worker.job.fenced_writes import SavedProgress
from services.worker.job.prepare import PreparedJob
from services.worker.job.results import ResultStore
from services.worker.job.run import JobRun, RunnerTools
from services.worker.job.token_checkpoint import TokenCheckpoint, recipe_of
from services.worker.model.engine_host import EngineHost
from services.worker.tokenizer_client import go_on
from shared.job_errors import JobError
from shared.job_store import Answer, ClaimedJob, Lease, LeaseLostError
from shared.schemas.image_tokenizer import ImageTokenizerModel
from shared.storage import StoredObject, content_key
from shared.tasks import Task
from shared.token_grid import TokenGrid
from tests.support.claimed_jobs import WAIT_SECONDS, in_thread

CELL = 8
NUMERICS = "n1"
PROMPT, SIZE = "a ball", PictureSize(64, 64)
CODES = 64
TOKENIZER_MODEL = ImageTokenizerModel(
    tokenizer="t1", codes=256, cell=CELL, numerics="movqgan", decode_seconds_per_code=0.25
)


@dataclass
class Journal:
    """What happened, in its order; faults wait for the next event of their name and replace it.

    watch: called with every event before it happens.
    """

    events: list[str] = field(default_factory=list[str])
    faults: dict[str, list[Exception]] = field(default_factory=dict[str, list[Exception]])
    watch: Callable[[str], object] = lambda _: None

    def note(self, event: str) -> None:
        self.watch(event)
        if self.faults.get(event):
            raise self.faults[event].pop(0)
        self.events.append(event)


@dataclass
class JobRow:
    """One job's row, as far as an attempt may write it. lease: who may; None when the job has ended."""

    journal: Journal
    lease: Lease | None = None
    progress: SavedProgress | None = None
    checkpoint: bytes | None = None
    handed_back: tuple[str, float] | None = None
    answer: Answer | None = None
    error: JobError | None = None

    def save(self, lease: Lease, saved: SavedProgress) -> None:
        self._write("save", lease)
        self._keep(saved)

    def hand_back(self, lease: Lease, saved: SavedProgress | None, reason: str, pause_seconds: float) -> None:
        self._write("hand back", lease)
        if saved is not None:
            self._keep(saved)
        self.handed_back, self.lease = (reason, pause_seconds), None

    def succeed(self, lease: Lease, answer: Answer) -> None:
        self._write("succeed", lease)
        self.answer, self.lease = answer, None

    def confirm_cancel(self, lease: Lease, answer: Answer | None) -> None:
        self._write("confirm cancel", lease)
        self.answer, self.lease = answer, None

    def fail(self, lease: Lease, error: JobError) -> None:
        self._write("fail", lease)
        self.error, self.lease = error, None

    def _write(self, event: str, lease: Lease) -> None:
        if lease != self.lease:
            raise LeaseLostError
        self.journal.note(event)

    def _keep(self, saved: SavedProgress) -> None:
        self.progress = saved
        if saved.checkpoint is not None:
            self.checkpoint = saved.checkpoint

    @property
    def codes(self) -> int:
        """How many codes are saved."""
        if self.checkpoint is None:
            return 0
        return sum(len(one.codes) for one in TokenCheckpoint.from_bytes(self.checkpoint).candidates)


@dataclass
class Tokenizer:
    """Decodes a grid to a picture with a square of one shade for each code."""

    journal: Journal
    asked: Event = field(default_factory=Event)
    may_answer: Event = field(default_factory=Event)
    model: ImageTokenizerModel = TOKENIZER_MODEL

    def decode(self, grid: TokenGrid, check: Callable[[], None] = go_on) -> bytes:
        self.journal.note("decode")
        self.asked.set()
        while not self.may_answer.wait(0.01):
            check()
        shades = Image.new("L", (grid.width, grid.height))
        shades.putdata([token % 256 for token in grid.tokens])
        buffer = io.BytesIO()
        shades.resize((CELL * grid.width, CELL * grid.height)).save(buffer, "PNG")
        return buffer.getvalue()


@dataclass
class Bucket:
    """Pictures by their keys."""

    journal: Journal
    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    asked: Event = field(default_factory=Event)
    may_answer: Event = field(default_factory=Event)

    def put_image(self, folder: str, data: bytes, media_type: str) -> StoredObject:
        self.journal.note("store")
        self.asked.set()
        assert self.may_answer.wait(WAIT_SECONDS)
        sha256 = hashlib.sha256(data).digest()
        key = content_key(folder, sha256, media_type)
        self.objects[key] = data
        return StoredObject(key, sha256, len(data))


class Bench:
    """One job, and everything that an attempt at it needs."""

    def __init__(self, loaded: LoadedModel, *, candidates: int = 1, patience_seconds: float = 30.0) -> None:
        self.loaded = loaded
        self.candidates = candidates
        self.journal = Journal()
        self.row, self.bucket = JobRow(self.journal), Bucket(self.journal)
        self.tokenizer = Tokenizer(self.journal)
        self.tokenizer.may_answer.set()
        self.bucket.may_answer.set()
        self.may_prepare = Event()
        self.may_prepare.set()
        self.results = ResultStore(self.tokenizer, self.bucket, lambda: None)
        # without drafts each pass draws one code of each picture
        self.host = EngineHost(Engine(loaded, EngineOptions(kv_cache_tokens=16_384, window=0)))
        self.published: list[Mapping[str, Any]] = []
        self.tools = RunnerTools(
            writes=self.row,
            publish=self._publish,
            host=self.host,
            prepare=self._prepare,
            results=self.results,
            errands=Errands(),
            on_undecoded=lambda: self.journal.note("wake late pictures"),
            numerics=lambda: NUMERICS,
            model="tiny",
            tick_seconds=0.01,
            patience_seconds=patience_seconds,
            stop_seconds=0.0,
        )

    def _publish(self, job_id: UUID, event: Mapping[str, Any]) -> bool:
        self.published.append({**event, "job": job_id})
        return True

    def _prepare(self, claimed: ClaimedJob) -> PreparedJob:
        assert self.may_prepare.wait(WAIT_SECONDS)
        self.journal.note("prepare")
        return self.prepared(claimed.request.get("seed", 1))

    def prepared(self, seed: int = 1) -> PreparedJob:
        """The job in the engine's terms."""
        picture = PictureRequest(Task.TEXT_TO_IMAGE, PROMPT, SIZE)
        plan = plan_sequence(self.loaded.vocabulary, self.loaded.text_tokenizer, picture)
        sampling = SamplingParameters(guidance_scale=1.0, seed=seed)
        return PreparedJob(
            picture, Recipe(plan, sampling, self.candidates, recipe_of(NUMERICS, plan, sampling))
        )

    def run(self, attempt: Attempt) -> "Future[None]":
        """Run the attempt in a thread of its own, as a slot does."""

        self.row.lease = attempt.lease

        def run() -> None:
            with JobRun(self.tools, attempt) as job:
                job.run()

        return in_thread(run)

    def draw(self, passes: int) -> None:
        """Run so many passes of the engine, which has a request or soon gets one."""
        assert self.host.engine.wait_for_work(WAIT_SECONDS)
        for _ in range(passes):
            assert self.host.engine.step()

    def told(self) -> list[str]:
        """The kinds of hints to listeners, each repetition once."""
        kinds = [str(event["type"]) for event in self.published]
        return [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind]

    def happened(self) -> list[str]:
        """What happened, without the regular saves of progress."""
        return [event for event in self.journal.events if event != "save"]
