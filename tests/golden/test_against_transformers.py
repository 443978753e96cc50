"""The decoder compared with the Chameleon of Hugging Face transformers, in all variations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import ChameleonForConditionalGeneration

from benchmarks.parity.streams import dense_states
from benchmarks.parity.transformer_checks import decoded_states
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import LoadedModel, load_model
from tests.support.models.checkpoint_files import write_checkpoint
from tests.support.models.transformers_decoder import TOKENS, theirs

VARIATIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grouped queries": {"num_key_value_heads": 2},
    "one key head": {"num_key_value_heads": 1},
    "norms behind attention and MLP": {"swin_norm": True},
    "two shards of q/k norms": {"model_parallel_size": 2},
    "two shards of grouped queries": {"model_parallel_size": 2, "num_key_value_heads": 2},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "another base of rotation": {"rope_theta": 1_000_000.0},
    "stretched positions": {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "another epsilon": {"rms_norm_eps": 1e-3},
    "tied embeddings": {"tie_word_embeddings": True},
    "odd sizes": {
        "hidden_size": 72,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "intermediate_size": 50,
    },
    "bf16 files in shards": {"sharded": True, "dtype": torch.bfloat16},
    "fp16 file": {"dtype": torch.float16},
    "everything": {
        "num_key_value_heads": 2,
        "model_parallel_size": 2,
        "swin_norm": True,
        "attention_bias": True,
        "mlp_bias": True,
        "rope_theta": 500.0,
        "rms_norm_eps": 1e-4,
        "sharded": True,
        "dtype": torch.bfloat16,
    },
}


def checkpoint(
    folder: Path, variation: str, *, fused: bool = False
) -> tuple[LoadedModel, ChameleonForConditionalGeneration]:
    config = write_checkpoint(folder, seed=5, **VARIATIONS[variation])
    return load_model(folder, Precision(torch.float32), fused=fused), theirs(folder, config)


@pytest.mark.parametrize("variation", VARIATIONS)
@torch.inference_mode()
def test_logits_and_hidden_states_are_those_of_transformers(tmp_path: Path, variation: str):
    ours, other = checkpoint(tmp_path, variation)
    expected = other(input_ids=TOKENS[None], output_hidden_states=True)
    states, logits = dense_states(ours, TOKENS)
    torch.testing.assert_close(states, torch.cat(expected.hidden_states), atol=1e-4, rtol=0)
    torch.testing.assert_close(logits, expected.logits[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("variation", "fused"),
    [
        *((variation, False) for variation in VARIATIONS),
        # the fused decoder does not support a head size of 12
        *((variation, True) for variation in VARIATIONS if variation != "odd sizes"),
    ],
)
@torch.inference_mode()
def test_cached_decoding_gives_the_logits_of_a_prefill_by_transformers(
    tmp_path: Path, variation: str, *, fused: bool
):
    ours, other = checkpoint(tmp_path, variation, fused=fused)
    expected = other(input_ids=TOKENS[None]).logits[0, -40:]
    logits = ours.model.logits(decoded_states(ours, TOKENS.tolist(), 40))
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
