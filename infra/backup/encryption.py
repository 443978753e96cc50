"""Encrypted backups in the format of age (https://age-encryption.org/v1), for age or SSH keys.

The program `age` opens them too. A backup is encrypted with public keys, so the machine that makes it cannot
read it.
"""

# pyright: reportAttributeAccessIssue=false
# pyrage is compiled and has no type stubs

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyrage

from infra.backup.errors import BackupFileError, BackupKeyError

MAGIC = b"age-encryption.org/"


def parse_recipient(text: str) -> object:
    """A public key: `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`. Raises BackupKeyError."""
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise BackupKeyError("a recipient is an age public key (age1...) or an SSH public key") from error


def read_identities(file: Path) -> list[object]:
    """The private keys in a file of age, or the SSH private key in it. Raises BackupKeyError."""
    try:
        data = file.read_bytes()
        if b"PRIVATE KEY" in data:
            return [pyrage.ssh.Identity.from_buffer(data)]
        lines = [line.strip() for line in data.decode().splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        identities = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise BackupKeyError(
            f"{file} has no private key of age, and no SSH key without passphrase"
        ) from error
    if not identities:
        raise BackupKeyError(f"{file} has no private key")
    return identities


@contextmanager
def encrypting(target: BinaryIO, recipients: Sequence[object]) -> Generator[BinaryIO]:
    """A file to write to, whose content goes encrypted to `target`; without recipients the target itself."""
    if not recipients:
        yield target
        return
    read_end, write_end = os.pipe()

    def encrypt() -> None:
        # closes the pipe also after an error, so that the writer does not wait for ever
        with os.fdopen(read_end, "rb") as plain:
            pyrage.encrypt_io(plain, target, recipients)

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(encrypt)
        try:
            with os.fdopen(write_end, "wb") as writer:
                yield writer
        except BrokenPipeError:
            done.result()  # its error is the cause
            raise
        done.result()


@contextmanager
def decrypting(file: Path, identities: Sequence[object]) -> Generator[BinaryIO]:
    """The plain content of a backup, encrypted or not. Raises BackupKeyError or BackupFileError."""
    with file.open("rb") as source:
        encrypted = source.read(len(MAGIC)) == MAGIC
        source.seek(0)
        if not encrypted:
            yield source
            return
        if not identities:
            raise BackupKeyError(f"{file} is encrypted: give the private key with --identity")
        with decrypted(source, lambda plain: pyrage.decrypt_io(source, plain, identities)) as plain:
            yield plain


@contextmanager
def decrypted(source: BinaryIO, decrypt: Callable[[BinaryIO], None]) -> Generator[BinaryIO]:
    """What `decrypt` writes, as a file to read; its errors replace those that they cause in the reader."""
    read_end, write_end = os.pipe()
    failures: list[Exception] = []

    def write() -> None:
        try:
            with os.fdopen(write_end, "wb") as plain:
                decrypt(plain)
        except BrokenPipeError:
            return  # the reader has seen enough
        except (pyrage.DecryptError, OSError) as error:
            failures.append(error)

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(write)
        try:
            with os.fdopen(read_end, "rb") as reader:
                yield reader
        except BackupFileError as error:
            done.result()
            if not failures:
                raise
            raise explain(failures[0], source.name) from error
        done.result()


def explain(failure: Exception, name: str) -> BackupKeyError | BackupFileError:
    """The error for a file that cannot be decrypted."""
    if "No matching keys" in str(failure):
        return BackupKeyError(f"{name} is encrypted for another key")
    return BackupFileError(f"{name} cannot be decrypted: it is damaged or ends in the middle")
