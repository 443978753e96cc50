"""Common parts of the training commands: one-line errors, option types, protection of existing output."""

import tempfile
from pathlib import Path

import click

from luminary.local.option_types import FiniteRange
from luminary.one_line_errors import OneLineErrors
from shared.errors import LuminaryError
from training.errors import TrainingError

FAILURES = (LuminaryError, OSError)
"""Errors that the user can fix, printed in one line; any other exception is a bug and prints a traceback."""


class TrainingProgram(OneLineErrors, click.Command):
    """A program with a single command."""

    failures = FAILURES


class TrainingProgramGroup(OneLineErrors, click.Group):
    """A program with several commands."""

    failures = FAILURES


SHARE = FiniteRange(0, 1)
POSITIVE = FiniteRange(0, min_open=True)
NOT_NEGATIVE = FiniteRange(0)
SEED = click.IntRange(0, 2**32 - 1)
"""Seeds that both numpy and torch accept."""
THREADS = click.IntRange(1, 1024)
FOLDER_THERE = click.Path(exists=True, file_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
"""A folder that need not exist yet."""

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the contents of --out.")


def keep_output(out: Path, *, overwrite: bool) -> None:
    """Check, before any work, that a folder is writable and empty, or may be overwritten.

    Raises TrainingError.
    """
    if not overwrite and out.is_dir() and any(out.iterdir()):
        raise TrainingError(f"{out} is not empty; use --overwrite to replace its contents, or another folder")
    check_writable(out)


def check_writable(folder: Path) -> None:
    """Check that a folder, or its nearest existing parent, is writable. Raises TrainingError."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written to: {there}: {error.strerror}") from error
