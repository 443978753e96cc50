"""Read the zip file of an import within limits; its entries are checked before any of them is read.

Nothing is ever written under an entry's name. A zip file is refused if it has more than it announces: its
list of entries is bounded before it is read, and each entry by the size that the list gives for it.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from stat import S_IFMT, S_IFREG
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from services.api.problems.codes import Problem, ProblemCode
from services.api.sessions.manifest import CODES, MANIFEST, PAGE, SESSION
from shared.field_errors import LONGEST_NAME, cut, printable
from shared.ids import IdKind, id_pattern

WHOLE = "body"
"""`param` of a problem of the zip file as a whole."""
END = struct.Struct("<4s4H2LH")
"""End of the list of entries: signature, disks, entries (twice), bytes and offset of the list, comment."""
END_SIGNATURE = b"PK\x05\x06"
MOST_ENTRIES = 50_000
LARGEST_ENTRY_RECORD = 400
"""Bytes of an entry in the list: 46, its name and extra fields."""
PIECE = 1 << 18
ENCRYPTED = 0x1
FAULTS = (
    BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)
"""What Python's zipfile raises for broken files."""

IMAGE, JOB = id_pattern(IdKind.IMAGE), id_pattern(IdKind.JOB)
MEBIBYTE = 1 << 20
KINDS: dict[re.Pattern[str], int | None] = {
    re.compile(re.escape(SESSION)): 16 * MEBIBYTE,
    re.compile(re.escape(MANIFEST)): 16 * MEBIBYTE,
    re.compile(re.escape(CODES)): 16 * MEBIBYTE,
    re.compile(re.escape(PAGE)): 64 * MEBIBYTE,
    re.compile(f"jobs/{JOB}[.]json"): MEBIBYTE,
    re.compile(
        f"codes/{IMAGE}-[A-Za-z0-9_.-]{{1,100}}-[0-9]{{1,5}}x[0-9]{{1,5}}[.](grid|certainty)"
    ): MEBIBYTE,
    re.compile(f"pictures/{IMAGE}[.](png|jpg|webp|gif)"): None,
}
"""Names of entries, and the most bytes of each; None for the limit of pictures."""


@dataclass(frozen=True)
class ArchiveLimits:
    """Limits of a zip file."""

    max_bytes: int
    """Of all entries together, expanded."""
    max_picture_bytes: int


class Archive:
    """A zip file whose list of entries was checked. Methods block, and raise Problem that names the entry."""

    def __init__(self, file: IO[bytes], limits: ArchiveLimits) -> None:
        check_end(file)
        try:
            self._zip = ZipFile(file)
        except FAULTS as error:
            raise invalid(WHOLE, "This is not a complete zip file.") from error
        self._limits = limits
        self._infos: dict[str, ZipInfo] = {}
        for info in self._zip.infolist():
            check_entry(info, limits.max_picture_bytes)
            if info.filename in self._infos:
                raise invalid(info.filename, "This name occurs twice.")
            self._infos[info.filename] = info
        if sum(info.file_size for info in self._infos.values()) > limits.max_bytes:
            detail = f"The expanded files have more than {limits.max_bytes} bytes."
            raise Problem(ProblemCode.IMPORT_TOO_LARGE, detail, param=WHOLE)

    @property
    def names(self) -> frozenset[str]:
        """The paths of all entries."""
        return frozenset(self._infos)

    def size(self, name: str) -> int:
        """Bytes of an entry."""
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        """An entry's bytes."""
        if name not in self._infos:
            raise invalid(name, "The zip file does not contain this file.")
        return b"".join(self._pieces(name))

    def check_hash(self, name: str, expected: str) -> None:
        """Read an entry and compare its SHA-256."""
        digest = sha256()
        for piece in self._pieces(name):
            digest.update(piece)
        if digest.hexdigest() != expected:
            raise invalid(name, "The file has another SHA-256 than the manifest says.")

    def _pieces(self, name: str) -> Iterator[bytes]:
        info, seen = self._infos[name], 0
        try:
            with self._zip.open(info) as entry:
                while piece := entry.read(PIECE):
                    seen += len(piece)
                    yield piece
        except FAULTS as error:
            raise invalid(name, "The file is damaged.") from error
        if seen != info.file_size:
            raise invalid(name, f"The file has {seen} bytes, not {info.file_size} as announced.")


def check_end(file: IO[bytes]) -> None:
    """Raise Problem unless the file ends with a plain end record, which announces a list of bounded length.

    Without a comment and without ZIP64, zipfile reads exactly this record.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - END.size))
    end = file.read(END.size)
    if len(end) < END.size or not end.startswith(END_SIGNATURE):
        raise invalid(WHOLE, "This is not a complete zip file.")
    _, _, _, _, entries, list_bytes, list_offset, comment = END.unpack(end)
    if comment or 0xFFFF_FFFF in (list_bytes, list_offset):
        raise invalid(WHOLE, "The zip file has a comment or is in ZIP64 format, unlike an export.")
    if entries > MOST_ENTRIES or list_bytes > entries * LARGEST_ENTRY_RECORD:
        raise Problem(
            ProblemCode.IMPORT_TOO_LARGE, f"The zip file has more than {MOST_ENTRIES} files.", param=WHOLE
        )
    if list_offset + list_bytes + END.size != length:
        raise invalid(WHOLE, "This is not a complete zip file, or something stands before it.")
    file.seek(max(0, length - END.size - 20))
    if file.read(4) == b"PK\x06\x07":
        raise invalid(WHOLE, "The zip file is in ZIP64 format, unlike an export.")


def check_entry(info: ZipInfo, max_picture_bytes: int) -> None:
    """Raise Problem for an entry that no export has: another name, a link, a folder, encryption, a size."""
    name = info.orig_filename
    limit = next((most for kind, most in KINDS.items() if kind.fullmatch(name)), 0)
    if limit == 0 or name != info.filename:
        raise invalid(name, "An export has no file with this name.")
    if S_IFMT(info.external_attr >> 16) not in {0, S_IFREG} or info.is_dir():
        raise invalid(name, "This is not an ordinary file.")
    if info.flag_bits & ENCRYPTED or info.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise invalid(name, "The file is encrypted, or compressed in an unknown way.")
    most = max_picture_bytes if limit is None else limit
    if info.file_size > most:
        detail = f"{name}: The file has more than {most} bytes."
        raise Problem(ProblemCode.IMPORT_TOO_LARGE, detail, param=name)


def invalid(name: str, what: str) -> Problem:
    """Problem of one file in the zip file, or of the whole."""
    shown = cut(printable(name), LONGEST_NAME)
    detail = what if name == WHOLE else f"{shown}: {what}"
    return Problem(ProblemCode.IMPORT_INVALID, detail, param=shown)
