"""Send partial pictures of the jobs that a client watches, beside the drawing.

One thread reads the codes that are drawn so far, lets the tokenizer service decode the complete rows to a
small picture, and publishes it. It never writes to the database and never touches the drawing: a picture that
is late or fails is dropped. It rests several times as long as it works, so that it takes little from the
drawing.
"""

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Protocol
from uuid import UUID

import redis

from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.job.candidates import Recipe, drawn_rows
from services.worker.job.token_checkpoint import CandidateTokens
from services.worker.tokenizer_client import TokenizerError
from shared.error_words import words_of
from shared.job_store import ClaimedJob, Lease
from shared.outages import Outage
from shared.partial_pictures import PICTURES, PartialPicture, Partials
from shared.token_grid import TokenGrid
from shared.tracing.contexts import inside_job

logger = logging.getLogger(__name__)

PNG = "image/png"
LOOK_SECONDS = 0.1
"""Shortest pause between two looks at the drawn codes."""
REST = 4.0
"""The thread rests so many times as long as its last look took."""
WATCHED_SECONDS = 0.5
"""How often the thread asks which jobs are watched."""
FAULT_SECONDS = 2.0
"""Pause after the tokenizer service or the Redis-protocol server did not answer."""
LEAVE_SECONDS = 0.5


class NotShownError(Exception):
    """The drawing has ended, or the worker stops: its partial picture is dropped."""


class Shown(Protocol):
    """The part of a drawing that is read; see `Drawing`."""

    recipe: Recipe

    def candidates(self) -> tuple[CandidateTokens, ...]: ...


class Channel(Protocol):
    """See `PartialChannel`."""

    def watched(self, jobs: Sequence[tuple[UUID, UUID]]) -> Mapping[UUID, Partials]: ...

    def send(self, partial: PartialPicture) -> None: ...


Decode = Callable[[TokenGrid, int, Callable[[], None]], bytes]
"""decode(rows, rows of the whole picture, check); see `TokenizerClient.preview`."""


@dataclass
class Running:
    """A drawing, and the number of rows of each candidate in its last partial picture."""

    claimed: ClaimedJob
    drawing: Shown
    rows: dict[int, int] = field(default_factory=dict[int, int])


class PartialPictures:
    """Runs the thread."""

    def __init__(self, decode: Decode, channel: Channel) -> None:
        self._decode = decode
        self._channel = channel
        self._outage = Outage(logger, "the source of partial pictures")
        self._lock = Lock()
        self._running: dict[Lease, Running] = {}
        self._watched: Mapping[UUID, Partials] = {}
        self._asked = float("-inf")
        self._wake = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="partial pictures", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; a decode that does not return soon is left behind."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(LEAVE_SECONDS)

    @contextmanager
    def shown(self, claimed: ClaimedJob, drawing: Shown) -> Generator[None]:
        """Show the drawing to clients that watch its job, during the block."""
        with self._lock:
            self._running[claimed.lease] = Running(claimed, drawing)
        self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                del self._running[claimed.lease]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            if not self._drawings():
                self._wake.wait()
                continue
            started = time.monotonic()
            pause = FAULT_SECONDS
            try:
                self.look()
                pause = max(LOOK_SECONDS, REST * (time.monotonic() - started))
                self._outage.answered()
            except (redis.RedisError, TokenizerError) as error:
                self._outage.failed(words_of(error), started)
            except Exception:
                # the worker must go on drawing, whatever happens to a partial picture
                logger.exception("unexpected error with a partial picture")
            self._stopping.wait(pause)

    def look(self) -> None:
        """Send what is new of the watched drawings. Raises redis.RedisError and TokenizerError."""
        drawings = self._drawings()
        if time.monotonic() >= self._asked + WATCHED_SECONDS:
            jobs = [(running.claimed.lease.job_id, running.claimed.project_id) for running in drawings]
            self._watched, self._asked = self._channel.watched(jobs), time.monotonic()
        for running in drawings:
            level = self._watched.get(running.claimed.lease.job_id)
            if level is not None:
                self._show(running, level)

    def _drawings(self) -> list[Running]:
        with self._lock:
            return list(self._running.values())

    def _show(self, running: Running, level: Partials) -> None:
        plan = running.drawing.recipe.plan
        for index, tokens in enumerate(running.drawing.candidates()):
            before = running.rows.get(index, 0)
            if not may_have(plan, len(tokens.codes), before, level):
                continue
            grid = drawn_rows(plan, tokens.codes)
            if grid is None or grid.height < next_rows(plan, before, level):
                continue
            running.rows[index] = grid.height
            try:
                self._send(running, index, grid, before)
            except NotShownError:
                return

    def _send(self, running: Running, index: int, grid: TokenGrid, before: int) -> None:
        """Decode and publish. Raises NotShownError if the drawing has ended meanwhile."""
        lease, plan = running.claimed.lease, running.drawing.recipe.plan

        def check() -> None:
            with self._lock:
                if self._stopping.is_set() or lease not in self._running:
                    raise NotShownError

        total = len(plan.result_rows)
        with inside_job(lease.job_id, running.claimed.traceparent, lease.attempt):
            picture = self._decode(grid, total, check)
        check()
        few = step_of(total, Partials.FEW)
        self._channel.send(
            PartialPicture(
                job_id=lease.job_id,
                project_id=running.claimed.project_id,
                attempt=lease.attempt,
                index=index,
                rows_done=grid.height,
                rows_total=total,
                media_type=PNG,
                picture=picture,
                is_among_few=grid.height // few > before // few,
            )
        )


def step_of(rows: int, level: Partials) -> int:
    """Rows between two partial pictures of a picture with so many rows of cells."""
    return max(1, -(-rows // PICTURES[level]))


def next_rows(plan: SequencePlan, before: int, level: Partials) -> int:
    """Number of rows that the next partial picture has at least: the next multiple of the step."""
    step = step_of(len(plan.result_rows), level)
    return (before // step + 1) * step


def may_have(plan: SequencePlan, codes: int, before: int, level: Partials) -> bool:
    """Whether so many drawn codes can complete the next rows: a quick test before the rows are read.

    Kept cells of a mask need no codes, so only a picture without drawn codes is left out then.
    """
    if len(plan.free_positions) < len(plan.result_rows) * plan.shape.columns:
        return codes > 0
    return codes >= next_rows(plan, before, level) * plan.shape.columns
