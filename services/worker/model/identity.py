"""Descriptions of the model for the workers' table, for recipes and for the text in pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.loading.numerics import NumericsIdentity
from services.worker.model.picture_sizes import TrainedSizes
from shared.sizes import GRID_PIXELS
from shared.tasks import Task


@dataclass(frozen=True)
class ModelIdentity:
    """Names of the model and of its merged adapter, and the numerics identity of its pictures."""

    name: str
    numerics: NumericsIdentity
    adapter: str | None = None

    def with_image_tokenizer(self, numerics: str) -> "ModelIdentity":
        """Add the image tokenizer, which gives the identity of whole pictures. numerics: its own identity."""
        return replace(self, numerics=self.numerics.with_image_tokenizer(numerics))

    def as_text(self) -> dict[str, Any]:
        """The model's entries in the text of a picture; platform and command line write the same."""
        parts = self.numerics
        return {
            "model": self.name,
            "weights": parts.weights,
            "precision": parts.precision,
            "adapter": self.adapter,
            "numerics": parts.id,
            "numerics_parts": parts.as_dict(),
        }


def identify(folder: Path, loaded: LoadedModel) -> ModelIdentity:
    """The identity of a loaded model folder, still without its image tokenizer."""
    return ModelIdentity(folder.resolve().name, loaded.numerics, loaded.adapter)


def describe_model(
    identity: ModelIdentity,
    loaded: LoadedModel,
    sizes: TrainedSizes,
    knows: Sequence[str] | None,
    tokens_per_second: float,
) -> dict[str, Any]:
    """The model's description for the models resource.

    knows: words that it was trained on; None if its card lists none.
    tokens_per_second: speed of one picture drawn alone, measured at the start and used only for estimates.
    """
    report = loaded.capabilities
    return {
        "name": identity.name,
        "weights": identity.numerics.weights,
        "precision": identity.numerics.precision,
        "device": report.device,
        "tasks": [str(task) for task in Task],
        "default_size": str(loaded.default_size),
        "default_guidance_scale": loaded.default_guidance_scale,
        "sizes": sizes.as_text(),
        "tokens_per_second": round(tokens_per_second, 1),
        "largest_side": loaded.vocabulary.max_grid * GRID_PIXELS,
        "image_codes": loaded.vocabulary.image_code_count,
        "batch_invariant": report.batch_invariant,
        "knows": knows,
    }
