"""What the worker says of its model: in the workers' table, in every recipe, in every picture."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.worker.engine.loading import LoadedModel
from services.worker.engine.tasks import Task
from services.worker.engine.vocabulary import GRID_PIXELS

PROBE_BYTES = 1 << 20
DIGITS = 16


@dataclass(frozen=True)
class ModelIdentity:
    """Name, weights and precision: together they decide the bits."""

    name: str
    fingerprint: str
    precision: str

    @property
    def key(self) -> str:
        """One text for all three."""
        return f"{self.name} {self.fingerprint} {self.precision}"

    def as_text(self) -> dict[str, str]:
        """For provenance."""
        return {"model": self.name, "weights": self.fingerprint, "precision": self.precision}


def identify(folder: Path, loaded: LoadedModel) -> ModelIdentity:
    """The identity of a loaded folder."""
    return ModelIdentity(folder.resolve().name, fingerprint(folder), loaded.precision.name)


def fingerprint(folder: Path) -> str:
    """First digits of a SHA-256 over name, size, beginning and end of every weight and tokenizer file.

    Not over all bytes: published weights take tens of gigabytes, and no two trainings agree in both ends.
    """
    digest = hashlib.sha256()
    files = sorted([*folder.glob("*.safetensors"), folder / "config.json", folder / "tokenizer.json"])
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as data:
            digest.update(data.read(PROBE_BYTES))
            data.seek(max(0, size - PROBE_BYTES))
            digest.update(data.read(PROBE_BYTES))
    return digest.hexdigest()[:DIGITS]


def describe_model(identity: ModelIdentity, loaded: LoadedModel) -> dict[str, Any]:
    """What the models resource shows."""
    report = loaded.capabilities
    return {
        "name": identity.name,
        "weights": identity.fingerprint,
        "precision": identity.precision,
        "device": report.device,
        "tasks": [str(task) for task in Task],
        "default_size": str(loaded.default_size),
        "default_guidance_scale": loaded.default_guidance_scale,
        "largest_side": loaded.vocabulary.max_grid * GRID_PIXELS,
        "image_codes": loaded.vocabulary.image_code_count,
        "batch_invariant": report.batch_invariant,
    }
