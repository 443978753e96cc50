"""The decoder against Hugging Face transformers' own Chameleon, in every variation of the architecture."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import ChameleonConfig, ChameleonForConditionalGeneration

from benchmarks.parity.streams import dense_states
from benchmarks.parity.transformer_checks import decoded_states
from services.worker.engine.checkpoint import open_checkpoint
from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import LoadedModel, load_model
from services.worker.engine.precision import Precision
from tests.unit.engine.checkpoint_files import write_checkpoint

TOKENS = torch.randint(0, 656, (300,), generator=torch.Generator().manual_seed(3))
"""More than one forward pass and one key extent of the engine hold."""

VARIATIONS: dict[str, dict[str, object]] = {
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


def theirs(folder: Path, config: ModelConfig) -> ChameleonForConditionalGeneration:
    """Their model with the folder's weights in float32."""
    model = ChameleonForConditionalGeneration(
        ChameleonConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads,
            rms_norm_eps=config.rms_norm_eps,
            rope_parameters={
                "rope_type": "default" if config.rope_scaling_factor == 1 else "linear",
                "rope_theta": config.rope_theta,
                "factor": config.rope_scaling_factor,
            },
            swin_norm=config.swin_norm,
            attention_bias=config.attention_bias,
            mlp_bias=config.mlp_bias,
            tie_word_embeddings=config.tie_word_embeddings,
            vq_config={
                "base_channels": 32,
                "channel_multiplier": [1],
                "num_res_blocks": 1,
                "resolution": 32,
            },
            vocabulary_map={"<image>": 1},  # names none of the codes, whose logits they would mask
        )
    ).eval()
    own = model.state_dict()
    weights = {
        name: one_pair_a_head(weight.float(), own[name].shape)
        for name, weight in open_checkpoint(folder, config).tensors()
    }
    if config.tie_word_embeddings:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    unset = model.load_state_dict(weights, strict=False)
    assert not unset.unexpected_keys
    assert all(name.startswith("model.vqmodel.") for name in unset.missing_keys)
    return model


def one_pair_a_head(weight: Tensor, shape: torch.Size) -> Tensor:
    """Their q/k norms have a pair for each head, a checkpoint has one for each shard of heads."""
    return weight if weight.shape == shape else weight.repeat_interleave(shape[0] // weight.shape[0], 0)


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
        # heads of twelve numbers are none of its
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
