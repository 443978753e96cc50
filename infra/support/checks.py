"""Checks of an installation, each with one line: what was found, and how to mend it."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from sqlalchemy import text

from infra.backup.errors import BackupError
from infra.backup.places import Installation
from infra.backup.restore import scripts
from infra.local.disk import shortage
from infra.local.run_file import ProcessState, read_run
from infra.local.services import READY_PATH
from shared.storage import ObjectStorage

OLDEST_PYTHON = (3, 11)
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    subject: str
    is_well: bool
    words: str


def check_machine(folder: Path) -> Iterator[Finding]:
    """Python and the disk."""
    version = sys.version_info[:3]
    yield Finding("python", version >= OLDEST_PYTHON, ".".join(map(str, version)))
    lacking = shortage(folder)
    yield Finding("disk", lacking is None, lacking or "enough space")


def check_processes(folder: Path) -> Iterator[Finding]:
    """The processes of `luminary up`, and whether the gateway is ready."""
    run = read_run(folder)
    if run is None:
        yield Finding("platform", is_well=True, words=f"`luminary up` does not run on {folder}")
        return
    for process in run.processes:
        state = process.now()
        words = f"{state}, restarted {process.restarts} times"
        yield Finding(process.name, state is ProcessState.RUNNING, words)
    try:
        answer = httpx2.get(f"{run.url}{READY_PATH}", timeout=ANSWER_SECONDS)
        yield Finding(
            "gateway", answer.status_code == 200, f"{READY_PATH} answers {answer.text.strip()[:200]}"
        )
    except httpx2.HTTPError as error:
        yield Finding("gateway", is_well=False, words=f"{READY_PATH} does not answer: {type(error).__name__}")


def check_servers(installation: Installation) -> Iterator[Finding]:
    """The database with its schema, and the bucket."""
    yield guarded("database", lambda: check_schema(installation))
    reachable = ObjectStorage(installation.storage).is_reachable()
    words = f"the bucket {installation.storage.bucket} {'answers' if reachable else 'cannot be accessed'}"
    yield Finding("storage", reachable, words)


def check_schema(installation: Installation) -> Finding:
    """Whether the tables are those of this version. Raises BackupError."""
    with installation.transaction() as connection:
        server = connection.scalar(text("SHOW server_version"))
        if not connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
            return Finding("database", is_well=False, words="no tables: run `python -m migrations`")
        present = connection.scalar(text("SELECT version_num FROM alembic_version"))
        head = scripts(connection).get_current_head()
    words = f"PostgreSQL {server}, schema {present}"
    if present != head:
        return Finding("database", is_well=False, words=f"{words}, but this version needs {head}")
    return Finding("database", is_well=True, words=words)


def guarded(subject: str, check: Callable[[], Finding]) -> Finding:
    """The finding of a check, or its error as one."""
    try:
        return check()
    except BackupError as error:
        return Finding(subject, is_well=False, words=str(error))
