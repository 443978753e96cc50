"""Progress of a training run: a bar on a terminal, lines in a log, TensorBoard curves."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter


class RunProgress:
    """Use as a context manager around the loop, and call `advance` after every step."""

    def __init__(self, folder: Path, total: int, start: int, *, unit: str, line_every: int) -> None:
        self._console = Console(soft_wrap=True)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task(folder.name, total=total, completed=start, figures="")
        self._writer = SummaryWriter(folder / "tensorboard", purge_step=start + 1)
        self._unit = unit
        self._line_every = line_every
        self._total = total
        self._since = time.monotonic()
        self._step_since = start
        self._amount = 0

    def advance(self, step: int, amount: int, figures: Mapping[str, float]) -> None:
        """Report that `step` steps are done; the last one processed `amount` units."""
        self._amount += amount
        self._bar.update(self._task, completed=step)
        if step % self._line_every and step != self._total:
            return
        seconds = time.monotonic() - self._since
        rate = self._amount / seconds
        left = (self._total - step) * seconds / (step - self._step_since)
        text = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._bar.update(self._task, figures=f"{text} {rate:,.0f} {self._unit}/s")
        if not self._console.is_terminal:
            self._console.print(
                f"step {step}/{self._total} {text} {rate:,.0f} {self._unit}/s, {left / 60:.1f} min left"
            )
        for name, value in {**figures, f"{self._unit}_per_second": rate}.items():
            self._writer.add_scalar(name, value, step)
        self._since, self._step_since, self._amount = time.monotonic(), step, 0

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        self._writer.close()
