"""Records of a user's own data: each has examples to learn, or an error message."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from training.data.prompt_reading import AskedTask
from training.errors import BadRecordError


@dataclass(frozen=True, slots=True)
class UserExample:
    """One answer to learn. pictures: one file per panel from top to bottom, or one file with all panels."""

    asked: AskedTask
    pictures: tuple[Path, ...]


class Entry(Protocol):
    """A record that is not parsed yet."""

    @property
    def label(self) -> str:
        """File or line where the user finds the record; empty if its index is enough."""
        ...

    def examples(self) -> list[UserExample]:
        """The examples of the record, one per answer. Raises BadRecordError."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that cannot be parsed, with its error message."""

    label: str
    message: str

    def examples(self) -> list[UserExample]:
        """Raises BadRecordError."""
        raise BadRecordError(self.message)


@dataclass(frozen=True, slots=True)
class Record:
    """An entry and its index in the data, from 0."""

    index: int
    entry: Entry

    @property
    def name(self) -> str:
        """Name of the record in messages."""
        return f"record {self.index}" + (f" ({self.entry.label})" if self.entry.label else "")

    def examples(self) -> list[UserExample]:
        """See `Entry.examples`."""
        return self.entry.examples()
