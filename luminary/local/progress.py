"""A progress bar for drawing: tokens, speed, forward passes, time left."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.worker.engine.handle import Handle


class ProgressBar:
    """A progress bar on stderr; it prints nothing if stderr is not a terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("drawing"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} tokens"),
            TextColumn("{task.fields[speed]:.1f}/s"),
            TextColumn("{task.fields[passes]} passes"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            disable=not console.is_terminal,
        )
        # hidden until the total is known, after the first pass
        self._task = self._progress.add_task("", total=0, speed=0.0, passes=0, visible=False)
        self._started = time.perf_counter()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, handles: list[Handle]) -> None:
        """Show the progress of all pictures together."""
        drawn = sum(handle.progress.tokens_done for handle in handles)
        self._progress.update(
            self._task,
            completed=drawn,
            total=sum(handle.progress.tokens_total for handle in handles),
            speed=drawn / (time.perf_counter() - self._started),
            passes=max(handle.progress.forward_passes for handle in handles),
            visible=True,
        )
