"""The one thread that owns the engine and steps it; others submit, and are told when theirs has ended."""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread
from weakref import WeakKeyDictionary

import torch

from services.worker.engine.engine import Engine
from services.worker.engine.errors import EngineError
from services.worker.engine.handle import Handle
from services.worker.engine.loading import LoadedModel
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.sequence_plan import plan_sequence
from services.worker.engine.tasks import PictureSize, Task
from services.worker.engine.vocabulary import GRID_PIXELS

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
"""How often an idle thread looks whether it is to stop."""


class EngineHost:
    """Runs an engine until it is stopped."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = Lock()
        self._watched: dict[Handle, Callable[[], None]] = {}
        self._failures: WeakKeyDictionary[Handle, BaseException] = WeakKeyDictionary()
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="engine", daemon=True)

    @property
    def loaded(self) -> LoadedModel:
        """The model that is run."""
        return self.engine.loaded

    @property
    def is_alive(self) -> bool:
        """Whether the thread steps; a dead one has left its traceback in the log."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Draw a first small picture, so that the first job pays for no warm-up, then serve."""
        warm_up(self.engine)
        self._thread.start()

    def stop(self) -> None:
        """End after the current step."""
        self._stopping.set()
        self._thread.join()

    def submit(self, request: GenerationRequest, on_end: Callable[[], None]) -> Handle:
        """Put a request in line; `on_end` is called once, from any thread, when it has ended.

        Raises CapacityError and GrammarError.
        """
        handle = self.engine.submit(request)
        with self._lock:
            self._watched[handle] = on_end
        self._tell_ended()
        return handle

    def take_failure(self, handle: Handle) -> BaseException | None:
        """Why the engine gave the request up, told once; None for one that ended by itself."""
        with self._lock:
            return self._failures.pop(handle, None)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if self.engine.wait_for_work(IDLE_SECONDS):
                self._step()
                self._tell_ended()

    def _step(self) -> None:
        """One step. An error of the pass hits all that were in it: they are given up, the engine goes on."""
        before = self._fresh_codes()
        try:
            self.engine.step()
        except (EngineError, RuntimeError, MemoryError) as error:
            logger.exception("the engine's step failed")
            with self._lock:
                for handle in self._watched:
                    self._failures[handle] = error
                    handle.cancel()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        logger.debug("step", extra={"codes": self._fresh_codes() - before})

    def _fresh_codes(self) -> int:
        """Codes that this process has drawn for the requests at hand."""
        with self._lock:
            return sum(
                handle.progress.codes_drawn - len(handle.request.resume_codes) for handle in self._watched
            )

    def _tell_ended(self) -> None:
        with self._lock:
            ended = [self._watched.pop(handle) for handle in list(self._watched) if handle.ended]
        for tell in ended:
            tell()


def warm_up(engine: Engine) -> None:
    """Draw the smallest picture."""
    size = PictureSize(GRID_PIXELS, GRID_PIXELS)
    request = PictureRequest(Task.TEXT_TO_IMAGE, "warm up", size)
    plan = plan_sequence(engine.loaded.vocabulary, engine.loaded.text_tokenizer, request)
    engine.submit(GenerationRequest(plan, SamplingParameters()))
    engine.run_until_idle()
