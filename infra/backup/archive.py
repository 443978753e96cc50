"""The format of a backup: a tar file whose last entry proves that it is whole.

The entries in order: `backup.json` (format, schema, tables with their columns), `tables/<table>/<number>.gz`
(COPY text), `pictures/<key>`, `missing.json` (keys without an object), `end.json`. The last one has the
number of entries and a hash of all of them, so a file that was cut off or changed is recognised before it is
used.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from infra.backup.errors import BackupFileError

FORMAT = 1
HEADER, MISSING, END = "backup.json", "missing.json", "end.json"
TABLES, PICTURES = "tables/", "pictures/"
CUT_OFF = "the file ends in the middle: its backup was interrupted"


@dataclass(frozen=True)
class Entry:
    """One file of the archive."""

    name: str
    data: bytes

    def document(self) -> Any:
        """The data as JSON."""
        return json.loads(self.data)


class Fingerprint:
    """Number and hash of the entries so far."""

    def __init__(self) -> None:
        self.entries = 0
        self._sha256 = hashlib.sha256()

    def add(self, entry: Entry) -> None:
        """Count the entry; its length is hashed too, so that no two sequences have equal input."""
        self.entries += 1
        for part in (entry.name.encode(), entry.data):
            self._sha256.update(len(part).to_bytes(8))
            self._sha256.update(part)

    def document(self) -> dict[str, Any]:
        """The content of the last entry."""
        return {"entries": self.entries, "sha256": self._sha256.hexdigest()}


class ArchiveWriter:
    """Writes entries in order; without `finish`, the archive is not whole."""

    def __init__(self, target: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._fingerprint = Fingerprint()

    def add(self, name: str, data: bytes) -> None:
        """Write one entry."""
        entry = Entry(name, data)
        self._fingerprint.add(entry)
        self._write(entry)

    def add_document(self, name: str, document: object) -> None:
        """Write one entry in JSON."""
        self.add(name, json.dumps(document).encode())

    def finish(self) -> None:
        """Write the last entry."""
        self._write(Entry(END, json.dumps(self._fingerprint.document()).encode()))
        self._tar.close()

    def _write(self, entry: Entry) -> None:
        member = tarfile.TarInfo(entry.name)
        member.size, member.mode = len(entry.data), 0o600
        self._tar.addfile(member, io.BytesIO(entry.data))


def read_entries(source: BinaryIO) -> Iterator[Entry]:
    """The entries except the last one, which is checked at the end. Raises BackupFileError."""
    fingerprint = Fingerprint()
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member)
                entry = Entry(member.name, content.read() if content else b"")
                if entry.name == END:
                    if entry.document() != fingerprint.document():
                        raise BackupFileError("the file is damaged: its content does not have its hash")
                    return
                if not fingerprint.entries and entry.name != HEADER:
                    raise BackupFileError("the file is no backup")
                fingerprint.add(entry)
                yield entry
    except tarfile.ReadError as error:
        message = CUT_OFF if fingerprint.entries else "the file is no backup"
        raise BackupFileError(message) from error
    raise BackupFileError(CUT_OFF)
