"""A row's logits do not depend on batch neighbours, nor on how its prefix was split into passes."""

import random
from dataclasses import dataclass
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from services.worker.engine.batch import PackedRows, forward
from services.worker.engine.kernels.linear import LinearKernel
from services.worker.engine.kernels.self_check import try_kernel
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.kv_cache import BLOCK_TOKENS, CacheRun, KVCache, Segment, run_length
from services.worker.engine.row_shapes import MAX_ROWS, ROW_COUNTS
from tests.support.models.variations import VARIATIONS, Models

pytestmark = pytest.mark.slow

LENGTH = 540
"""Tokens of a stream; they cross the key extents of 256 and 512."""

DICE = st.randoms(use_true_random=True)
KINDS = [
    *((precision, variation) for precision in ("fp32", "fused fp32") for variation in VARIATIONS),
    *(
        (precision, "everything")
        for precision in (
            "bf16",
            "fp32+int8",
            "bf16+int8",
            "fp32+nf4",
            "bf16+nf4",
            "fused bf16",
            "fused bf16+int8",
            "fused vectors bf16",
            "fused vectors bf16+int8",
        )
    ),
    ("bf16", "plain"),
]


@dataclass
class Reader:
    """A stream of random tokens that is computed piece by piece; the logits of all tokens are kept."""

    tokens: list[int]
    run: CacheRun
    logits: list[Tensor]

    @property
    def read(self) -> int:
        return len(self.logits)


def readers(loaded: LoadedModel, lengths: list[int], dice: random.Random) -> tuple[KVCache, list[Reader]]:
    """Streams with different tokens, in random order in one pool."""
    cache = KVCache(
        loaded.config,
        sum(map(run_length, lengths)) + BLOCK_TOKENS,
        dtype=loaded.precision.dtype,
        device=loaded.device,
    )
    places = list(range(len(lengths)))
    dice.shuffle(places)
    runs = dict(
        zip(places, cache.allocator.allocate([run_length(lengths[p]) for p in places]) or [], strict=True)
    )
    return cache, [
        Reader(stream_tokens(place, length), runs[place], []) for place, length in enumerate(lengths)
    ]


def stream_tokens(stream: int, length: int) -> list[int]:
    generator = torch.Generator().manual_seed(stream)
    return torch.randint(0, 656, (length,), generator=generator).tolist()


@torch.inference_mode()
def read_together(loaded: LoadedModel, cache: KVCache, pieces: list[tuple[Reader, int]]) -> None:
    """Run one pass over the next `count` tokens of each reader, in this order."""
    packed = PackedRows([], [], [], [])
    for reader, count in pieces:
        first = len(packed.token_ids)
        packed.segments.append(Segment(first, count, reader.read, reader.run))
        packed.token_ids.extend(reader.tokens[reader.read : reader.read + count])
        packed.positions.extend(range(reader.read, reader.read + count))
        packed.logit_rows.extend(range(first, first + count))
    logits = loaded.model.image_logits(forward(loaded.model, cache, packed), loaded.image_ids)
    for (reader, count), segment in zip(pieces, packed.segments, strict=True):
        reader.logits.extend(logits[segment.row : segment.row + count])


def read_alone(loaded: LoadedModel, stream: int, length: int) -> Tensor:
    """Logits [length, codes] of one stream without batch neighbours, in passes of MAX_ROWS."""
    cache = KVCache(loaded.config, run_length(length), dtype=loaded.precision.dtype, device=loaded.device)
    reader = Reader(stream_tokens(stream, length), CacheRun(0, run_length(length)), [])
    while reader.read < length:
        read_together(loaded, cache, [(reader, min(MAX_ROWS, length - reader.read))])
    return torch.stack(reader.logits)


@pytest.mark.parametrize(("precision", "variation"), KINDS, ids=[" ".join(kind) for kind in KINDS])
@settings(max_examples=2, deadline=None, derandomize=True, database=None)
@given(DICE)
def test_batch_neighbours_and_pass_boundaries_change_no_bit(
    models: Models, precision: str, variation: str, dice: random.Random
):
    loaded = models(precision, variation)
    lengths = [LENGTH, *(dice.randint(1, 300) for _ in range(dice.randint(0, 7)))]
    cache, streams = readers(loaded, lengths, dice)
    while unread := [stream for stream in streams if stream.read < len(stream.tokens)]:
        dice.shuffle(unread)
        pieces: list[tuple[Reader, int]] = []
        left = dice.choice([1, 5, 40, MAX_ROWS, MAX_ROWS])
        for stream in unread:
            count = min(dice.choice([1, 1, 2, 17, 64, 200]), len(stream.tokens) - stream.read, left)
            left -= count
            if count:
                pieces.append((stream, count))
        read_together(loaded, cache, pieces)
    for number, stream in enumerate(streams):
        alone = read_alone(loaded, number, len(stream.tokens))
        assert torch.equal(torch.stack(stream.logits), alone), f"stream {number}"


@pytest.mark.parametrize(
    "precision",
    ["fp32", "bf16", "bf16+int8", "bf16+nf4", "fused fp32", "fused bf16", "fused fp32+int8"],
)
@pytest.mark.parametrize("position", [1, 100, 255, 256, 511, 512, 530])
def test_a_token_is_the_same_in_any_window_and_behind_any_prefix(
    models: Models, precision: str, position: int
):
    loaded = models(precision)
    whole = read_alone(loaded, 0, LENGTH)
    for window in (1, 2, 3, 5, 9, 33, 64):
        count = min(window, LENGTH - position)
        cache = KVCache(loaded.config, run_length(LENGTH), dtype=loaded.precision.dtype, device=loaded.device)
        reader = Reader(stream_tokens(0, LENGTH), CacheRun(0, run_length(LENGTH)), [])
        while reader.read < position:
            read_together(loaded, cache, [(reader, min(200, position - reader.read))])
        read_together(loaded, cache, [(reader, count)])
        assert torch.equal(torch.stack(reader.logits)[position:], whole[position : position + count])


@settings(max_examples=1, deadline=None, derandomize=True, database=None)
@given(DICE)
@pytest.mark.parametrize("streams", range(1, 17))
def test_up_to_sixteen_streams_share_a_pass(models: Models, streams: int, dice: random.Random):
    loaded = models()
    cache, readers_of_pass = readers(loaded, [12] * streams, dice)
    while readers_of_pass[0].read < 12:
        read_together(loaded, cache, [(stream, 1) for stream in reversed(readers_of_pass)])
    for number, stream in enumerate(readers_of_pass):
        assert torch.equal(torch.stack(stream.logits), read_alone(loaded, number, 12))


class CountingKernel:
    """A kernel whose results depend on the number of rows, as the last bits of some GEMMs do."""

    inputs = outputs = 8
    weight_bytes = 0
    fewest_rows = 1

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs * (1 + inputs.shape[0])


class PositionKernel(CountingKernel):
    """A kernel whose results depend on the index of the row."""

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs + torch.arange(inputs.shape[0])[:, None]


@pytest.mark.parametrize("kernel", [CountingKernel(), PositionKernel()], ids=["number", "place"])
def test_the_self_check_detects_kernels_that_depend_on_batch_neighbours(kernel: CountingKernel):
    assert not try_kernel(kernel, torch.float32, torch.device("cpu")).invariant


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp32+int8", "bf16+int8", "fp32+nf4", "bf16+nf4"])
def test_the_report_agrees_with_every_number_of_rows_tried_here(models: Models, precision: str):
    loaded = models(precision)
    assert loaded.model.image_head is not None
    kernel = cast("LinearKernel", loaded.model.image_head.kernel)
    rows = torch.randn(ROW_COUNTS[-1], kernel.inputs, generator=torch.Generator().manual_seed(2))
    rows = rows.to(loaded.device, loaded.precision.dtype)
    whole = kernel(rows)
    same = all(
        torch.equal(kernel(rows[start : start + count]), whole[start : start + count])
        for count in ROW_COUNTS
        for start in range(0, len(rows), count)
    )
    assert same == loaded.capabilities.batch_invariant
