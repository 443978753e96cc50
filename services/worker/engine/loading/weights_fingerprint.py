"""Fingerprints of the files of a model folder or an adapter."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PROBE_BYTES: Final = 1 << 20
DIGITS: Final = 16


def fingerprint_model(folder: Path) -> str:
    """The fingerprint of a model folder: its weights, its configuration and its text tokenizer."""
    return fingerprint([*folder.glob("*.safetensors"), folder / "config.json", folder / "tokenizer.json"])


def fingerprint_adapter(folder: Path) -> str:
    """The fingerprint of an adapter in peft's layout."""
    return fingerprint([*folder.glob("*.safetensors"), folder / "adapter_config.json"])


def fingerprint(files: Iterable[Path]) -> str:
    """First digits of a SHA-256 over name, size, first and last MiB of every file.

    It does not read all bytes, because published weights have tens of gigabytes, and two trained models
    differ at both ends.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as data:
            digest.update(data.read(PROBE_BYTES))
            data.seek(max(0, size - PROBE_BYTES))
            digest.update(data.read(PROBE_BYTES))
    return digest.hexdigest()[:DIGITS]
