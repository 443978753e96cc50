"""What a data folder remembers between two runs: ports and passwords, and who holds it now."""

import fcntl
import json
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from infra.local.ports import PortReservations
from infra.local.process import ProcessError

NAME = "stack.json"


@dataclass(frozen=True)
class StackPorts:
    """One port for every door of the embedded servers."""

    postgres: int
    valkey: int
    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int

    @classmethod
    def choose(cls, reservations: PortReservations) -> Self:
        """Reserve as many ports as are needed."""
        return cls(*(reservations.choose() for _ in fields(cls)))

    def reserve(self, reservations: PortReservations) -> bool:
        """Reserve these very ports again; returns whether that was possible."""
        return reservations.reserve(*asdict(self).values())


@dataclass(frozen=True)
class StackSecrets:
    """Passwords made once for this folder; they never leave this machine."""

    postgres_password: str
    valkey_password: str
    s3_access_key_id: str
    s3_secret_access_key: str

    @classmethod
    def generate(cls) -> Self:
        """Fresh random secrets."""
        return cls(*(secrets.token_hex(size) for size in (16, 16, 10, 20)))


@dataclass(frozen=True)
class StackState:
    """The remembered ports and secrets."""

    ports: StackPorts
    secrets: StackSecrets


def read_state(folder: Path) -> StackState | None:
    """The folder's ports and secrets as they were written down; None before the first use."""
    file = folder / NAME
    if not file.exists():
        return None
    stored = json.loads(file.read_text())
    return StackState(StackPorts(**stored["ports"]), StackSecrets(**stored["secrets"]))


def load_state(folder: Path, reservations: PortReservations) -> StackState:
    """The state to start with, made on first use; its ports are reserved.

    When someone took a port, all are chosen anew.
    """
    known = read_state(folder)
    if known is not None and known.ports.reserve(reservations):
        return known
    state = StackState(StackPorts.choose(reservations), known.secrets if known else StackSecrets.generate())
    # in one step: half a file would lock its owner out of the data
    fresh = folder / f"{NAME}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(state), indent=2))
    fresh.replace(folder / NAME)
    return state


@contextmanager
def exclusive(folder: Path) -> Generator[None]:
    """Hold the folder; ProcessError when another stack runs on it, or when it cannot be written.

    The kernel lets go when we die.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ProcessError(f"The data folder {folder} cannot be written: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProcessError(
                f"Another Luminary runs on {folder}: `luminary down` stops it, --data FOLDER chooses another."
            ) from error
        yield
    finally:
        os.close(descriptor)
