"""The threads of a pass: the caller and helpers, together as many as PyTorch uses."""

import os
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, NamedTuple

import torch


class _Job(NamedTuple):
    """A call for a helper thread.

    niceness: that of the caller; a helper takes it over, so that no thread of a pass waits for a slower one.
    over: gets None when the call ends, or the exception that it raised.
    """

    work: Callable[..., None]
    arguments: tuple[Any, ...]
    niceness: int
    over: SimpleQueue[BaseException | None]


_jobs: Final = SimpleQueue[_Job]()
"""Plain queues: an executor's futures would cost 0.1 ms per call, and a decoding step makes two calls."""
_helpers: Final[list[Thread]] = []


def run_together(work: Callable[..., None], *arguments: Any) -> None:
    """Call `work` in all threads at once, and wait for all of them. Raises the first exception of a call."""
    count = torch.get_num_threads() - 1
    while len(_helpers) < count:
        _helpers.append(Thread(target=_help, name=f"pass_{len(_helpers)}", daemon=True))
        _helpers[-1].start()
    over = SimpleQueue[BaseException | None]()
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    for _ in range(count):
        _jobs.put(_Job(work, arguments, niceness, over))
    try:
        work(*arguments)
    finally:
        failures = [over.get() for _ in range(count)]
    for failure in failures:
        if failure is not None:
            raise failure


def _help() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    while True:
        work, arguments, niceness, over = _jobs.get()
        if niceness > own and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, 0, niceness)
            own = niceness
        failure = None
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            failure = error
        # release the arguments before waiting for the next call
        del work, arguments
        over.put(failure)
        del over, failure
