"""A progress bar for pictures that are being drawn: tokens, speed, forward passes, time left."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.worker.engine.handle import Handle


class ProgressBar:
    """On a terminal's stderr; silent elsewhere."""

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
        # Hidden until the first pass has said how many tokens there are.
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
        """Show how far the pictures are."""
        drawn = sum(handle.progress.codes_drawn for handle in handles)
        self._progress.update(
            self._task,
            completed=drawn,
            total=sum(handle.progress.codes_total for handle in handles),
            speed=drawn / (time.perf_counter() - self._started),
            passes=max(handle.progress.forward_passes for handle in handles),
            visible=True,
        )
