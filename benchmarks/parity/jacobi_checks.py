"""Compare passes over windows of drafts, recorded from the reference's speculative Jacobi decoding.

The recorded input ids are fed to our decoder, and logits and attention masks are compared. The sampled tokens
cannot be compared: they depend on the reference's random numbers and on its acceptance step, while our engine
verifies a draft by drawing with fixed noise.
"""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.parity.comparison import FP32_LOGITS, Comparison, farthest, identical
from benchmarks.parity.fixture_set import FixtureSet
from benchmarks.parity.streams import CachedStream

TRACE, TENSORS = "sjd/sjd_trace.json", "sjd/sjd_trace.safetensors"
CALL = re.compile(r"call(\d+)\.logits")


def check_trace(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the logits of every recorded pass, for both of its rows, given the tokens accepted before."""
    run, tensors = fixtures.json(TRACE), fixtures.tensors(TENSORS)
    calls = sorted(int(match[1]) for key in tensors if (match := CALL.fullmatch(key)))
    for call in calls:
        where = f"{TENSORS} call{call}"
        settled, window = settled_and_window(run, call)
        stored = tensors[f"call{call}.input_ids"].tolist()
        yield identical(where, "input ids of the trace", stored, window)
        visible = first_visible(tensors[f"call{call}.attention_mask"])
        positions = tensors[f"call{call}.position_ids"]
        last = [len(settled) + len(window[0]) - 1 - first for first in visible]
        yield identical(where, "last position of each row", last, positions[:, -1].tolist())
        expected = tensors[f"call{call}.logits"]
        ours = torch.stack(
            [
                window_logits(fixtures, [*settled, *ids], first, len(ids), expected.shape[1])
                for ids, first in zip(window, visible, strict=True)
            ]
        )
        yield farthest(where, "logits, fp32", ours, expected, FP32_LOGITS)


def settled_and_window(run: dict[str, Any], call: int) -> tuple[list[int], list[list[int]]]:
    """The cached tokens before a pass, and the input tokens of each of its rows."""
    prompt = run["trace"][0]["input_ids"][0]
    entry = run["trace"][call]
    return [*prompt, *run["new_ids"]][: entry["cache_position"][0]], entry["input_ids"]


def first_visible(mask: Tensor) -> list[int]:
    """Index of the first token that each row may attend to."""
    last = mask if mask.ndim == 2 else mask[:, -1]
    return last.int().argmax(-1).tolist()


@torch.inference_mode()
def window_logits(fixtures: FixtureSet, tokens: list[int], first: int, fed: int, count: int) -> Tensor:
    """[count, vocabulary] logits of one row of a pass: for its first tokens, or if `count` is 1 for the last.

    tokens: all tokens of the row; the last `fed` are the input of this pass.
    first: index of the first visible token.
    """
    stream = CachedStream(fixtures.fp32, len(tokens) - first)
    before = tokens[first : len(tokens) - fed]
    if before:
        stream.feed(before)
    hidden = stream.feed(tokens[max(first, len(tokens) - fed) :])
    return fixtures.fp32.model.logits(hidden[-1:] if count == 1 else hidden[:count])
