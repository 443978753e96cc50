"""Decode a picture with Hugging Face transformers' Chameleon; guidance takes two forward calls per token."""

import statistics
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import ChameleonConfig, ChameleonForConditionalGeneration, DynamicCache

from benchmarks.random_model import CONFIG
from services.worker.engine.kernels.precision import DTYPES

PROMPT_TOKENS = 108
WARM_UP = 4
GUIDANCE = 4.0


class ReferenceDecoding:
    """Hugging Face transformers' Chameleon with the benchmark's weights."""

    def __init__(self, folder: Path, dtype: str, device: torch.device) -> None:
        self.device = device
        self._model = _load(folder, DTYPES[dtype], device)

    @torch.inference_mode()
    def tokens_per_second(self, tokens: int) -> float:
        """Median speed of `tokens` tokens after a prompt of PROMPT_TOKENS."""
        return 1 / statistics.median(_seconds_per_token(self._model, tokens)[WARM_UP:])


def _load(folder: Path, dtype: torch.dtype, device: torch.device) -> ChameleonForConditionalGeneration:
    settings = {name: value for name, value in CONFIG.items() if name not in {"architectures", "model_type"}}
    small_image_model = {
        "base_channels": 32,
        "channel_multiplier": [1],
        "num_res_blocks": 1,
        "resolution": 32,
    }
    config = ChameleonConfig(**settings, vq_config=small_image_model, vocabulary_map={"<image>": 1})
    model = ChameleonForConditionalGeneration(config).eval()
    weights = load_file(folder / "model.safetensors")
    own = model.state_dict()
    # transformers has one affine pair of the norms per head, the checkpoint one per shard
    fitting = {name: weight.expand_as(own[name]).clone() for name, weight in weights.items()}
    model.load_state_dict(fitting, strict=False)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(device, dtype)
    for buffer in model.buffers():
        buffer.data = buffer.data.to(device)
    return model


def _seconds_per_token(model: ChameleonForConditionalGeneration, tokens: int) -> list[float]:
    generator = torch.Generator().manual_seed(7)
    prompt = torch.randint(0, 300, (1, PROMPT_TOKENS), generator=generator).to(model.device)
    dice = torch.Generator(model.device).manual_seed(7)
    streams = [(prompt, DynamicCache()), (prompt[:, -3:], DynamicCache())]
    seconds: list[float] = []
    for _ in range(tokens):
        started = time.perf_counter()
        conditional, unconditional = (
            model(input_ids=ids, past_key_values=cache, use_cache=True).logits[:, -1].float()
            for ids, cache in streams
        )
        guided = unconditional + GUIDANCE * (conditional - unconditional)
        best = guided.topk(2000)
        chosen = best.indices.gather(-1, torch.multinomial(best.values.softmax(-1), 1, generator=dice))
        streams = [(chosen, cache) for _, cache in streams]
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return seconds
