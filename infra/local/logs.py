"""Follow the log files of several processes and print each line after the coloured name of its process."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green")
NAME_WIDTH = 10


@dataclass(frozen=True)
class LogLine:
    """One line and the process that wrote it."""

    name: str
    text: str


class LogFollower:
    """Reads the lines appended to the log files of a folder since the last call, new files included."""

    def __init__(self, folder: Path, *, names: Iterable[str] = (), from_start: bool = False) -> None:
        """`names` selects processes (empty: all); `from_start` includes lines that exist already."""
        self._folder = folder
        self._names = frozenset(names)
        self._offsets: dict[Path, int] = {}
        if not from_start:
            self._offsets = {file: file.stat().st_size for file in self._files()}

    def _files(self) -> list[Path]:
        files = sorted(self._folder.glob("*.log"))
        return [file for file in files if not self._names or file.stem in self._names]

    def new_lines(self) -> Iterator[LogLine]:
        """Every complete new line; a half-written line is returned by a later call."""
        for file in self._files():
            offset = self._offsets.get(file, 0)
            if offset > file.stat().st_size:  # the file was rotated
                offset = 0
            with file.open("rb") as log:
                log.seek(offset)
                complete, newline, _ = log.read().rpartition(b"\n")
            self._offsets[file] = offset + len(complete) + len(newline)
            if newline:
                for line in complete.decode(errors="replace").split("\n"):
                    yield LogLine(file.stem, line)


class LogPrinter:
    """Writes lines to the terminal; a process keeps its colour."""

    def __init__(self) -> None:
        self._palette = itertools.cycle(COLOURS)
        self._colours: dict[str, str] = {}

    def show(self, lines: Iterable[LogLine]) -> None:
        """Print the lines; colours appear only on a terminal."""
        for line in lines:
            if line.name not in self._colours:
                self._colours[line.name] = next(self._palette)
            name = click.style(f"{line.name:>{NAME_WIDTH}} |", fg=self._colours[line.name])
            click.echo(f"{name} {line.text}")
