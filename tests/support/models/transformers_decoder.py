"""Load a checkpoint with Hugging Face transformers, to compare the decoder with it."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import ChameleonConfig, ChameleonForConditionalGeneration

from services.worker.engine.loading.checkpoint import open_checkpoint
from services.worker.engine.model.config import ModelConfig

TOKENS = torch.randint(0, 656, (300,), generator=torch.Generator().manual_seed(3))
"""More tokens than fit into one forward pass and one key extent of the engine."""


def theirs(folder: Path, config: ModelConfig) -> ChameleonForConditionalGeneration:
    """The transformers model with the folder's weights in float32."""
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
            # without image codes: transformers would mask their logits
            vocabulary_map={"<image>": 1},
        )
    ).eval()
    own = model.state_dict()
    weights = {
        name: one_pair_a_head(weight.float(), own[name].shape)
        for name, _, weight in open_checkpoint(folder, config).tensors()
    }
    if config.tie_word_embeddings:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    unset = model.load_state_dict(weights, strict=False)
    assert not unset.unexpected_keys
    assert all(name.startswith("model.vqmodel.") for name in unset.missing_keys)
    return model


def one_pair_a_head(weight: Tensor, shape: torch.Size) -> Tensor:
    """Repeat q/k norms: transformers has one for each head, a checkpoint one for each shard of heads."""
    return weight if weight.shape == shape else weight.repeat_interleave(shape[0] // weight.shape[0], 0)
