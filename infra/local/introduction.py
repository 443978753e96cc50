"""The messages after a start: the platform's address, its API key, and a command that draws a picture."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from infra.local.installation import ApiKeyOfFolder
from infra.local.kept_key import keep_key
from infra.local.whereabouts import DEFAULT_FOLDER, remember

EXAMPLE = "a red star and a blue ball"


def introduce(folder: Path, url: str, key: ApiKeyOfFolder, report: Callable[[str], None]) -> None:
    """Report how to draw a picture; store a new key in the data folder and show it."""
    report(f"reference of the API: {url}/docs; Ctrl-C stops everything")
    if key.is_new:
        file = keep_key(folder, key.token)
        report(f"API key, stored in {file}: {key.token}")
    remember(folder)
    report(f'paste into another terminal: {program()} draw "{EXAMPLE}"{folder_option(folder)}')


def program() -> str:
    """The path of `luminary` for the shell, which works without activating the virtual environment."""
    beside = Path(sys.executable).with_name("luminary")
    if not beside.exists():
        return "luminary"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))


def folder_option(folder: Path) -> str:
    """` --data FOLDER`; empty when the folder is the default one of the working directory."""
    return "" if folder == Path.cwd() / DEFAULT_FOLDER else f" --data {shlex.quote(str(folder))}"
