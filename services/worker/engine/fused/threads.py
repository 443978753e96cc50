"""The threads of a pass: the caller's and as many more as PyTorch would use."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, NamedTuple

import torch


class _Job(NamedTuple):
    """A call, and where to say that it is over: None, or how it failed."""

    work: Callable[..., None]
    arguments: tuple[Any, ...]
    over: SimpleQueue[BaseException | None]


_jobs: Final = SimpleQueue[_Job]()
"""Bare queues: an executor's futures would cost a tenth of a millisecond a call, which a step has two of."""
_helpers: Final[list[Thread]] = []


def run_together(work: Callable[..., None], *arguments: Any) -> None:
    """Call `work` in all threads at once; returns when all have left it. Raises what it raises."""
    count = torch.get_num_threads() - 1
    while len(_helpers) < count:
        _helpers.append(Thread(target=_help, name=f"pass_{len(_helpers)}", daemon=True))
        _helpers[-1].start()
    over = SimpleQueue[BaseException | None]()
    for _ in range(count):
        _jobs.put(_Job(work, arguments, over))
    try:
        work(*arguments)
    finally:
        failures = [over.get() for _ in range(count)]
    for failure in failures:
        if failure is not None:
            raise failure


def _help() -> None:
    while True:
        work, arguments, over = _jobs.get()
        failure = None
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            failure = error
        # nothing of the call is kept alive while this waits for the next one
        del work, arguments
        over.put(failure)
        del over, failure
