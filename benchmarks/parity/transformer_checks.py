"""Compare logits and hidden states of sequences, from one prefill and from decoding with the cache."""

import re
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.parity.comparison import (
    BF16_LOGITS_MAX,
    BF16_LOGITS_MEAN,
    FP32_LOGITS,
    Comparison,
    farthest,
    on_average,
)
from benchmarks.parity.fixture_set import FixtureSet
from benchmarks.parity.streams import CachedStream, dense_states
from services.worker.engine.loading.load import LoadedModel

FILE = "golden_transformer.safetensors"
SEQUENCE = re.compile(r"(.+)\.input_ids")


def check_transformer(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare all recorded tensors of every sequence in the file."""
    golden = fixtures.tensors(FILE)
    names = sorted(match[1] for key in golden if (match := SEQUENCE.fullmatch(key)))
    for name in names:
        prefix = f"{name}."
        sequence = {
            key.removeprefix(prefix): tensor for key, tensor in golden.items() if key.startswith(prefix)
        }
        yield from _float32(fixtures.fp32, f"{FILE} {name}", sequence)
        yield from _bfloat16(fixtures, f"{FILE} {name}", sequence)


def _float32(loaded: LoadedModel, fixture: str, sequence: dict[str, Tensor]) -> Iterator[Comparison]:
    tokens = sequence["input_ids"]
    states, logits = dense_states(loaded, tokens)
    if (expected := sequence.get("hidden_states_fp32")) is not None:
        yield farthest(fixture, "hidden states, fp32", states, expected, FP32_LOGITS)
    if (expected := sequence.get("prefill_logits_fp32")) is not None:
        yield farthest(fixture, "prefill logits, fp32", logits, expected, FP32_LOGITS)
    if (expected := sequence.get("decode_logits_fp32")) is not None:
        hidden = decoded_states(loaded, tokens.tolist(), len(expected))
        decoded = loaded.model.logits(hidden)
        yield farthest(fixture, "cached decode logits, fp32", decoded, expected, FP32_LOGITS)
        codes = loaded.image_ids
        yield farthest(
            fixture,
            "cached decode logits of image codes, fp32",
            loaded.model.image_logits(hidden, codes),
            expected[:, codes.start : codes.stop],
            FP32_LOGITS,
        )


def _bfloat16(fixtures: FixtureSet, fixture: str, sequence: dict[str, Tensor]) -> Iterator[Comparison]:
    recorded = [kind for kind in sequence if "logits_bf16" in kind]
    if not recorded:
        return
    tokens = sequence["input_ids"]
    prefilled = dense_states(fixtures.bf16, tokens)[1]
    for kind in sorted(recorded):
        expected = sequence[kind]
        ours = prefilled
        if kind.startswith("decode"):
            ours = fixtures.bf16.model.logits(decoded_states(fixtures.bf16, tokens.tolist(), len(expected)))
        what = kind.replace("_", " ").replace("bf16 ", "bf16, ")
        yield farthest(fixture, f"{what}, largest", ours, expected, BF16_LOGITS_MAX)
        yield on_average(fixture, f"{what}, mean", ours, expected, BF16_LOGITS_MEAN)


@torch.inference_mode()
def decoded_states(loaded: LoadedModel, tokens: list[int], rows: int) -> Tensor:
    """Hidden states of the last `rows` tokens: the first from a prefill, the others decoded one by one."""
    prefix = len(tokens) - rows + 1
    stream = CachedStream(loaded, len(tokens))
    first = stream.feed(tokens[:prefix])[-1:]
    return torch.cat([first, *(stream.feed([token]) for token in tokens[prefix:])])
