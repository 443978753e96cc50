"""Make the data of coming steps in other processes, while the current step computes.

What a step gets depends only on its index, so the number of processes changes nothing but the speed.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

Made = TypeVar("Made")

_PER_PROCESS = 3
"""Steps that are made ahead, per process."""


class MadeAhead(Generic[Made]):
    """Call it with the index of a step; it is fast for steps in a row. Use it as a context manager.

    make: a picklable function of the step's index. processes: 0 makes each step when it is asked for.
    """

    def __init__(self, make: Callable[[int], Made], processes: int) -> None:
        self._make = make
        self._ahead = processes * _PER_PROCESS
        self._waiting: dict[int, Future[Made]] = {}
        self._pool: ProcessPoolExecutor | None = None
        if processes:
            # a forked process would inherit locks of the threads that compute
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(processes, mp_context=context)

    def __call__(self, step: int) -> Made:
        if self._pool is None:
            return self._make(step)
        for passed in [index for index in self._waiting if index < step]:
            self._waiting.pop(passed).cancel()
        for index in range(step, step + self._ahead):
            if index not in self._waiting:
                self._waiting[index] = self._pool.submit(self._make, index)
        return self._waiting.pop(step).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
