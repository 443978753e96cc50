"""Compare names and shapes of our models' weights with those of the published checkpoints."""

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.parity.comparison import Comparison, identical
from benchmarks.parity.fixture_set import FixtureSet
from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig
from services.worker.engine.loading.checkpoint import IGNORABLE, expected_shapes
from services.worker.engine.model.config import ModelConfig

DECODER, IMAGE_TOKENIZER = "maps/chameleon_7b_shapes.json", "maps/movqgan_270M_shapes.json"


def check_decoder_map(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the weights of the full-size decoder."""
    document = fixtures.json(DECODER)
    config = ModelConfig.from_dict({"model_type": "chameleon", **document["config_used"]})
    ours = {name: list(shape) for name, shape in expected_shapes(config).items()}
    theirs = {name: shape for name, shape in document["shapes"].items() if not IGNORABLE.match(name)}
    yield identical(DECODER, "names and shapes of weights", _sorted(ours), _sorted(theirs))


def check_image_tokenizer_map(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the weights of the full-size MoVQGAN."""
    document = fixtures.json(IMAGE_TOKENIZER)
    with torch.device("meta"):
        state = MoVQGAN(MoVQGANConfig.from_dict({"model_params": document["model_params"]})).state_dict()
    ours = {name: list(weight.shape) for name, weight in state.items()}
    yield identical(
        IMAGE_TOKENIZER, "names and shapes of weights", _sorted(ours), _sorted(document["shapes"])
    )


def _sorted(shapes: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(shapes.items())
