"""The engine's thread reports each end once, and a failure only for the request that failed."""

import os
import sys
import threading
from pathlib import Path
from threading import Event

import pytest

from services.worker.engine.engine import Engine
from services.worker.engine.errors import EngineError
from services.worker.engine.handle import Handle
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.request import Status
from services.worker.job.candidates import Drawing, Recipe
from services.worker.model.engine_host import DRAWING_NICENESS, EngineHost
from services.worker.model.loading import load_engine
from services.worker.settings import GpuWorkerSettings
from tests.support.models.drawing_requests import infinite_logits, request_for

TINY = Path(__file__).parents[3] / "models/tiny"
WAIT_SECONDS = 60.0


@pytest.fixture
def engine() -> Engine:
    return load_engine(
        TINY, GpuWorkerSettings.model_validate({"model": str(TINY), "device": "cpu", "dtype": "fp32"})
    )


def drawn(host: EngineHost, loaded: LoadedModel) -> Handle:
    ended = Event()
    handle = host.submit(request_for(loaded), ended.set)
    assert ended.wait(WAIT_SECONDS)
    return handle


def test_a_request_fails_alone_and_the_next_one_is_drawn(engine: Engine) -> None:
    host = EngineHost(engine)
    host.start()
    with infinite_logits(host.loaded):
        failed = drawn(host, host.loaded)
    assert failed.status is Status.FAILED
    with pytest.raises(EngineError, match="no token can be drawn"):
        failed.result_codes()
    assert drawn(host, host.loaded).status is Status.FINISHED
    host.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")
def test_only_the_thread_that_draws_gives_way_to_others(engine: Engine) -> None:
    host, ended, niceness = EngineHost(engine), Event(), list[int]()

    def note_priority() -> None:
        niceness.append(os.getpriority(os.PRIO_PROCESS, 0))
        ended.set()

    own = os.getpriority(os.PRIO_PROCESS, 0)
    host.submit(request_for(host.loaded), note_priority)
    host.start()
    assert ended.wait(WAIT_SECONDS)
    host.stop()
    assert niceness == [max(own, DRAWING_NICENESS)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_a_drawing_ends_with_the_error_of_its_first_failed_candidate(engine: Engine) -> None:
    host, woken = EngineHost(engine), Event()
    request = request_for(host.loaded)
    assert isinstance(request.plan, SequencePlan)
    drawing = Drawing(host, Recipe(request.plan, request.sampling, 2, bytes(32)), None, woken.set)
    with infinite_logits(host.loaded):
        host.start()
        assert woken.wait(WAIT_SECONDS)
        host.stop()
    assert drawing.ended
    with pytest.raises(EngineError, match="no token can be drawn"):
        drawing.raise_failure()


def test_an_end_is_reported_once_also_of_a_request_that_has_nothing_to_draw(engine: Engine) -> None:
    host = EngineHost(engine)
    host.start()
    finished = drawn(host, host.loaded)
    whole = request_for(host.loaded, resume_codes=finished.codes)
    ends: list[str] = []
    host.submit(whole, lambda: ends.append("whole"))
    assert ends == ["whole"], "the end of a request without work is reported by submit"
    drawn(host, host.loaded)
    host.stop()
    assert ends == ["whole"]


def test_a_canceled_request_is_reported_as_ended(engine: Engine) -> None:
    host, ended = EngineHost(engine), Event()
    handle = host.submit(request_for(host.loaded), ended.set)
    handle.cancel()
    host.start()
    assert ended.wait(WAIT_SECONDS)
    assert handle.status is Status.CANCELED
    host.stop()


def test_a_thread_that_dies_is_not_alive(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    died = Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())
    host = EngineHost(engine)
    assert not host.is_alive
    host.start()
    assert host.is_alive
    # an error that no pass of a model raises
    engine.cache = None  # pyright: ignore[reportAttributeAccessIssue]
    host.submit(request_for(host.loaded), lambda: None)
    assert died.wait(WAIT_SECONDS)
    host.stop()
    assert not host.is_alive
