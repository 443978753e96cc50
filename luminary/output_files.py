"""Output files of drawn pictures: checked before drawing, and never overwritten without --overwrite."""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

import click

SUFFIX = ".png"
LONGEST_SLUG = 80
"""Bytes of the prompt in a file name; most file systems allow 255 bytes for the whole name."""


@dataclass(frozen=True)
class OutputPlace:
    """A folder for pictures, or one file.

    file: name of the file; None for names from prompt, seed and number.
    overwrite: whether an existing `file` may be replaced.
    """

    folder: Path
    file: str | None
    overwrite: bool

    @classmethod
    def parse(cls, text: str, *, overwrite: bool) -> Self:
        """Parse --out: a path with the suffix .png is a file, a path without a suffix is a folder.

        Raises click.BadParameter for any other path.
        """
        path = Path(text)
        ends_as_folder = text.endswith(("/", os.sep)) or path.name in {"", ".", ".."}
        suffix = path.suffix.lower()
        if path.is_dir() or ends_as_folder:
            if suffix == SUFFIX and not ends_as_folder:
                raise click.BadParameter(
                    f"{path} is a folder; choose a file, or end the path with / to mean the folder"
                )
            return cls(path, None, overwrite)
        if suffix == SUFFIX:
            return cls(path.parent, path.name, overwrite)
        if re.fullmatch(r"\.[a-z][a-z0-9]*", suffix):
            raise click.BadParameter(
                f"{path}: pictures are written as PNG; choose a {SUFFIX} file or a folder"
            )
        if path.is_file():
            raise click.BadParameter(f"{path} is a file; choose a folder or a {SUFFIX} file")
        return cls(path, None, overwrite)

    def prepare(self, pictures: int) -> None:
        """Create the folder; check that it is writable and that no file would be replaced unasked.

        Raises click.BadParameter.
        """
        if self.file is not None and not self.folder.is_dir():
            raise click.BadParameter(f"there is no folder {self.folder}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise click.BadParameter(f"{self.folder} cannot be written to: {error.strerror}") from error
        for path in self._named_files(pictures):
            if path.is_dir():
                raise click.BadParameter(f"{path} is a folder")
            if path.exists() and not self.overwrite:
                raise click.BadParameter(f"{path} exists; use --overwrite to replace it, or another name")

    def write(self, pngs: Sequence[bytes], label: str, seed: int) -> list[Path]:
        """Write the pictures in order and return their paths. Raises OSError.

        label: text about the pictures for their names. If a name exists, the next free number is added.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        names = self._named_files(len(pngs)) or [
            self.folder / f"{slug(label)}-{seed}-{index}{SUFFIX}" for index in range(len(pngs))
        ]
        replaces = self.overwrite and self.file is not None
        write = _replace if replaces else _write_to_free_name
        return [write(path, png) for path, png in zip(names, pngs, strict=True)]

    def _named_files(self, pictures: int) -> list[Path]:
        if self.file is None:
            return []
        path = self.folder / self.file
        if pictures == 1:
            return [path]
        return [path.with_name(f"{path.stem}-{index}{path.suffix}") for index in range(pictures)]


def slug(text: str) -> str:
    """The text as part of a file name: lower-case words of any script, joined by hyphens."""
    joined = re.sub(r"[\W_]+", "-", text.lower()).strip("-")
    short = joined.encode()[:LONGEST_SLUG].decode(errors="ignore").strip("-")
    return short or "picture"


def _write_to_free_name(path: Path, png: bytes) -> Path:
    """Write a new file under the first free name, without a race with other processes."""
    for free in _names(path):
        try:
            with free.open("xb") as file:
                file.write(png)
        except FileExistsError:
            continue
        except OSError:
            free.unlink(missing_ok=True)  # a full disk would leave an incomplete file
            raise
        return free
    raise AssertionError("names never end")


def _names(path: Path) -> Iterator[Path]:
    """The path and its numbered variants: boat.png, boat_2.png, boat_3.png, ..."""
    yield path
    yield from (path.with_name(f"{path.stem}_{number}{path.suffix}") for number in count(2))


def _replace(path: Path, png: bytes) -> Path:
    """Replace the file atomically; a crash leaves the old one."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(png)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
