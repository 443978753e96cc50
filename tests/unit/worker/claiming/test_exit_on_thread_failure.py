"""If a thread dies of an error, the process sends itself SIGTERM, which drains a worker."""

import signal
import threading
from collections.abc import Iterator
from threading import Thread

import pytest

from services.worker.claiming.exit_on_thread_failure import leave_when_a_thread_dies

received: list[int] = []


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """Record SIGTERM in this process instead of ending it."""
    before_hook = threading.excepthook
    before_handler = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    received.clear()
    leave_when_a_thread_dies()
    yield
    threading.excepthook = before_hook
    signal.signal(signal.SIGTERM, before_handler)


def run_in_thread(raised: BaseException | None) -> None:
    def work() -> None:
        if raised is not None:
            raise raised

    thread = Thread(target=work, name="slot-0")
    thread.start()
    thread.join()


def test_the_process_gets_sigterm_when_a_thread_dies_of_an_error() -> None:
    run_in_thread(KeyError("unexpected"))
    assert received == [signal.SIGTERM]


@pytest.mark.parametrize("ending", [None, SystemExit(0)], ids=["returns", "exits"])
def test_a_thread_that_returns_or_exits_does_not_end_the_process(ending: BaseException | None) -> None:
    run_in_thread(ending)
    assert received == []
