"""Projects, keys and usage of a platform over HTTP, with an administrator's key."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from infra.local.kept_key import ADMIN_FILE, read_kept_key
from infra.local.options import running
from luminary.remote.platform import Json, Platform

PAGE = 100
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
NEVER, DEFAULT = "never", "default"
FOR_EVER = -1


class Administration:
    """The routes of projects, keys and usage. All methods raise ClickException with a one-line message."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    @classmethod
    def of(cls, folder: Path) -> "Administration":
        """That of the platform that LUMINARY_URL names, or that runs on this folder."""
        key = os.environ.get("LUMINARY_ADMIN_KEY") or read_kept_key(folder, ADMIN_FILE)
        if key is None:
            raise click.ClickException(
                f"there is no administrator's key in {folder / ADMIN_FILE}: set LUMINARY_ADMIN_KEY; "
                "`luminary admin key` makes one"
            )
        return cls(Platform(os.environ.get("LUMINARY_URL") or running(folder).url, key))

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Send a request below /v1 and return the answer."""
        return self._platform.call(method, f"/v1/{path}", body)

    def text(self, path: str) -> str:
        """The answer to a GET request for text below /v1."""
        return self._platform.text(f"/v1/{path}")

    def all(self, path: str, **query: str) -> Iterator[Json]:
        """Every item of a list, oldest first."""
        items: list[Json] = []
        wanted = {**query, "limit": str(PAGE)}
        while True:
            page = self.call("GET", f"{path}?{urlencode(wanted)}")
            items += page["data"]
            if not page["has_more"]:
                return reversed(items)
            wanted["after"] = page["next_cursor"]

    def find_project(self, name: str) -> Json | None:
        """The project of this name; None if there is none."""
        return next(iter(self.all("projects", name=name)), None)

    def project(self, name: str) -> Json:
        """The project of this name. Raises UsageError if there is none."""
        found = self.find_project(name)
        if found is None:
            raise click.UsageError(f"there is no project {name}; `luminary projects list` shows all")
        return found

    def key(self, given: str) -> Json:
        """The key with this id, or the active one that begins with these characters. Raises UsageError."""
        keys = list(self.all("api_keys"))
        found = [key for key in keys if key["id"] == given]
        found = found or [key for key in keys if key["status"] == "active" and given.startswith(key["hint"])]
        if len(found) != 1:
            raise click.UsageError(
                f"{len(found)} active keys begin with {given[:8]}; "
                + ("give the id of one" if found else "`luminary keys list` shows all keys")
            )
        return found[0]


def show_table(rows: list[tuple[str, ...]]) -> None:
    """Print rows in columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def shown_time(text: str | None) -> str:
    """A time of the API as `2026-01-01 12:00` in UTC, or `never`."""
    return NEVER if text is None else text[:16].replace("T", " ")


def parse_seconds(text: str) -> int:
    """Seconds of `30d`. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,10})([smhd])", text)
    if match is None:
        raise ValueError(f"{text!r} is not a time like 12h or 30d")
    return int(match[1]) * UNITS[match[2]]


def parse_retention(text: str) -> int | None:
    """Seconds of `30d`, -1 for `never`, None for `default`. Raises ValueError."""
    if text in (NEVER, DEFAULT):
        return FOR_EVER if text == NEVER else None
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise ValueError(f"{error}, `never` or `default`") from error


def shown_retention(seconds: int | None) -> str:
    """The text that `parse_retention` reads, in the largest unit without a rest."""
    if seconds is None or seconds == FOR_EVER:
        return DEFAULT if seconds is None else NEVER
    unit = next(unit for unit in "dhms" if seconds % UNITS[unit] == 0)
    return f"{seconds // UNITS[unit]}{unit}"
