"""Passes over windows of drafts that the reference's own parallel decoding made.

Its draws cannot be repeated, for they depend on its random numbers, and its acceptance step is not ours:
the engine verifies a draft by drawing with fixed noise. What a pass computes, and who sees whom, can be.
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
    """Logits of every stored pass, both rows, behind the tokens that were settled before it."""
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
    """The tokens that a pass found in its cache, and those it was fed, row by row."""
    prompt = run["trace"][0]["input_ids"][0]
    entry = run["trace"][call]
    return [*prompt, *run["new_ids"]][: entry["cache_position"][0]], entry["input_ids"]


def first_visible(mask: Tensor) -> list[int]:
    """Place of the first token that each row may look at."""
    last = mask if mask.ndim == 2 else mask[:, -1]
    return last.int().argmax(-1).tolist()


@torch.inference_mode()
def window_logits(fixtures: FixtureSet, tokens: list[int], first: int, fed: int, count: int) -> Tensor:
    """[count, vocabulary] logits of one row of a pass: of its first tokens, or of its last if one is kept.

    tokens: the row from the beginning, of which the last `fed` are this pass's.
    """
    stream = CachedStream(fixtures.fp32, len(tokens) - first)
    before = tokens[first : len(tokens) - fed]
    if before:
        stream.feed(before)
    hidden = stream.feed(tokens[max(first, len(tokens) - fed) :])
    return fixtures.fp32.model.logits(hidden[-1:] if count == 1 else hidden[:count])
