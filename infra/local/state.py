"""Ports and passwords that a data folder keeps between runs, and the lock of the folder."""

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
from infra.local.private_folder import make_private, write_private
from infra.local.process import ProcessError

NAME = "stack.json"


@dataclass(frozen=True)
class StackPorts:
    """The ports of the embedded servers."""

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
        """Choose and reserve free ports."""
        return cls(*(reservations.choose() for _ in fields(cls)))

    def reserve(self, reservations: PortReservations) -> bool:
        """Reserve these ports; return False and reserve none if one of them is not free."""
        return reservations.reserve(*asdict(self).values())


@dataclass(frozen=True)
class StackSecrets:
    """Passwords of the embedded servers, generated once for each folder; they never leave this machine."""

    postgres_password: str
    valkey_password: str
    s3_access_key_id: str
    s3_secret_access_key: str
    postgres_owner_password: str
    postgres_services_password: str
    s3_token_key: str

    @classmethod
    def generate(cls) -> Self:
        """New random secrets."""
        return cls(*(secrets.token_hex(size) for size in (16, 16, 10, 20, 16, 16, 32)))


@dataclass(frozen=True)
class StackState:
    """The ports and secrets of a data folder."""

    ports: StackPorts
    secrets: StackSecrets


def read_state(folder: Path) -> StackState | None:
    """The folder's stored ports and secrets; None before the first start.

    Secrets that an earlier version did not have are generated; the next start stores them.
    """
    file = folder / NAME
    if not file.exists():
        return None
    stored = json.loads(file.read_text())
    known = asdict(StackSecrets.generate()) | stored["secrets"]
    return StackState(StackPorts(**stored["ports"]), StackSecrets(**known))


def load_state(folder: Path, reservations: PortReservations) -> StackState:
    """Return the state for a start, created at the first one, with its ports reserved.

    If one of the stored ports is not free, all ports are chosen again.
    """
    known = read_state(folder)
    if known is not None and known.ports.reserve(reservations):
        state = known
    else:
        chosen = StackPorts.choose(reservations)
        state = StackState(chosen, known.secrets if known else StackSecrets.generate())
    # atomic: with half a file the passwords, and so the data, would be lost
    write_private(folder / NAME, json.dumps(asdict(state), indent=2))
    return state


@contextmanager
def exclusive(folder: Path) -> Generator[None]:
    """Lock the folder and make it private to its owner.

    Raises ProcessError when another stack has locked it, when it cannot be written, or when it has other
    content. The kernel releases the lock when this process ends.
    """
    try:
        make_private(folder)
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
