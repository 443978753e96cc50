"""A zip file for support: facts, findings and the ends of logs, all of it redacted."""

import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from infra.local.kept_key import read_kept_key
from infra.local.private_folder import PRIVATE_FILE
from infra.local.secret_files import with_secrets
from infra.local.state import read_state
from infra.support.checks import Finding
from infra.support.facts import (
    database_facts,
    machine_facts,
    process_facts,
    recent_prompts,
    settings_facts,
)
from infra.support.redaction import Redaction, secrets_in

LOG_BYTES = 200_000
"""Bytes of each log's end that are in the bundle."""
README = """\
A bundle of facts about a Luminary installation, made by `luminary doctor --bundle`.
Secrets, keys, prompts and addresses with passwords were replaced by ***; pictures are not in it.
Look through the files before you send them.
"""


@dataclass
class DatabasePart:
    """What the database adds to a bundle; empty if it does not answer."""

    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    prompts: set[str] = field(default_factory=set[str])

    def read(self, connection: Connection) -> None:
        """Ask the database."""
        self.facts, self.prompts = database_facts(connection), recent_prompts(connection)


def secrets_of(folder: Path) -> set[str]:
    """Passwords and keys that the data folder and the environment hold."""
    state = read_state(folder)
    kept = read_kept_key(folder)
    found = secrets_in(with_secrets(os.environ)) | (set(asdict(state.secrets).values()) if state else set())
    return found | ({kept} if kept else set())


def write_bundle(file: Path, folder: Path, findings: Sequence[Finding], database: DatabasePart) -> list[str]:
    """Write the bundle, readable for its owner alone, and return the names of its files."""
    redaction = Redaction(secrets_of(folder) | database.prompts)
    documents = {
        "findings.json": [asdict(finding) for finding in findings],
        "machine.json": machine_facts(),
        "settings.json": settings_facts(os.environ),
        "processes.json": process_facts(folder),
        "database.json": database.facts,
    }
    texts = {"README.txt": README}
    texts |= {name: json.dumps(value, indent=2, default=str) for name, value in documents.items()}
    texts |= dict(ends_of_logs(folder))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in texts.items():
            bundle.writestr(name, redaction.apply(content))
    return list(texts)


def ends_of_logs(folder: Path) -> Iterable[tuple[str, str]]:
    """The last lines of each log of `luminary up`; none on other installations."""
    for log in sorted((folder / "logs").glob("*.log")):
        with log.open("rb") as opened:
            opened.seek(max(log.stat().st_size - LOG_BYTES, 0))
            yield f"logs/{log.name}", opened.read().decode(errors="replace")
