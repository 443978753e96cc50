"""Run the engine in its own thread. Other threads submit requests and are notified when they end."""

import logging
import os
import sys
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

from services.worker.engine.engine import Engine
from services.worker.engine.handle import Handle
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.metrics import PASSES
from shared.sizes import GRID_PIXELS
from shared.tasks import Task

logger = logging.getLogger(__name__)

COLD_PASSES = 2
"""First passes of a new engine, which are too slow to measure its speed."""
IDLE_SECONDS = 0.5
"""Interval at which the idle thread checks whether it must stop."""
DRAWING_NICENESS = 5
"""Priority of the thread that draws: on busy processors it gets a third of the time of other threads."""


class EngineHost:
    """Runs an engine in a thread until `stop` is called."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = Lock()
        self._watched: dict[Handle, Callable[[], None]] = {}
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="engine", daemon=True)

    @property
    def loaded(self) -> LoadedModel:
        """The loaded model."""
        return self.engine.loaded

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs. If it has died, its traceback is in the log."""
        return self._thread.is_alive()

    def passes_per_second(self, rows: int) -> float | None:
        """Expected passes per second with this number of rows; None before any pass was measured."""
        seconds = self.engine.scheduler.costs.expected_seconds(rows)
        return 1 / seconds if seconds else None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the current step."""
        self._stopping.set()
        self._thread.join()

    def submit(self, request: GenerationRequest, on_end: Callable[[], None]) -> Handle:
        """Submit a request. `on_end` is called once, in any thread, when it has ended or failed.

        Raises CapacityError and GrammarError.
        """
        handle = self.engine.submit(request)
        with self._lock:
            self._watched[handle] = on_end
        self._notify_ended()
        return handle

    def _serve(self) -> None:
        give_way_to_requests()
        while not self._stopping.is_set():
            if self.engine.wait_for_work(IDLE_SECONDS):
                self._step()
                self._notify_ended()

    def _step(self) -> None:
        before = self._fresh_codes()
        started = time.perf_counter()
        if self.engine.step():
            PASSES.observe(time.perf_counter() - started)
        logger.debug("step", extra={"codes": self._fresh_codes() - before})

    def _fresh_codes(self) -> int:
        """Number of codes that this process has drawn for the current requests."""
        with self._lock:
            return sum(
                handle.progress.tokens_done - len(handle.request.resume_codes) for handle in self._watched
            )

    def _notify_ended(self) -> None:
        with self._lock:
            ended = [self._watched.pop(handle) for handle in list(self._watched) if handle.ended]
        for on_end in ended:
            on_end()


def give_way_to_requests() -> None:
    """Lower the priority of this thread, so that other services on the machine answer while it draws.

    Heartbeats come from other threads, which keep theirs. Only Linux has priorities of single threads.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), DRAWING_NICENESS))


def warm_up(engine: Engine) -> float:
    """Draw the smallest picture as a warm-up for the first job; return its speed in codes per second.

    The first passes are measured only if there are no others, because they include the prefill and run with
    cold caches. Raises the error of a pass that fails.
    """
    size = PictureSize(GRID_PIXELS, GRID_PIXELS)
    request = PictureRequest(Task.TEXT_TO_IMAGE, "warm up", size)
    plan = plan_sequence(engine.loaded.vocabulary, engine.loaded.text_tokenizer, request)
    handle = engine.submit(GenerationRequest(plan, SamplingParameters()))
    marks = [(time.perf_counter(), 0)]
    while engine.step():
        marks.append((time.perf_counter(), handle.progress.tokens_done))
    handle.raise_failure()
    begun, drawn = marks[COLD_PASSES] if len(marks) > COLD_PASSES + 1 else marks[0]
    ended, whole = marks[-1]
    return (whole - drawn) / (ended - begun)
