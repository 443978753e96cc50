"""Attention of a pass over the cached keys, shared out among the threads by segments and heads."""

import math
from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import HALVES, Floats, Pass, Scratch, Visible
from services.worker.engine.fused.compiling import compiled, compiled_sums
from services.worker.engine.fused.features import LANES
from services.worker.engine.fused.head_kernels import (
    FLOAT_HEAD,
    FLOAT_VECTOR,
    HALF_HEAD,
    HALF_VECTOR,
    HEAD,
    KEYS,
    fetch_lines,
    float_dot_products,
    half_dot_products,
    store_as_floats,
    store_as_halves,
)
from services.worker.engine.fused.phases import finish, take, wait
from services.worker.engine.fused.rows import MAGNITUDE, exponential

HEAD_EPS: Final = 1e-5
"""Fixed in the reference, whatever `rms_norm_eps` says."""

SMALLEST: Final = np.int32(-0x80000000)


@compiled
def attention_phase(work: Pass, phase: int, layer: int, scratch: Scratch) -> None:
    """Attention of all rows in one layer.

    A thread takes its next item before it does one, and fetches meanwhile what the next will read.
    """
    items = len(work.rows.segments) * work.shape.kv_heads
    item = take(work.counters, phase)
    while item < items:
        following = take(work.counters, phase)
        ahead = following if following < items else item
        fetch_row(work, layer, ahead)
        store_keys(work, layer, item, scratch)
        answer_queries(work, layer, item, scratch, pool_offset(work, layer, ahead, 0))
        finish(work.counters, phase)
        item = following
    wait(work.counters, phase, items)


@compiled
def fetch_row(work: Pass, layer: int, item: int) -> None:
    """Have what an item reads first come, which another thread may have computed, and where it will write."""
    shape, weights, rows = work.shape, work.weights, work.rows
    segment, kv_head = divmod(item, shape.kv_heads)
    row, _, position, _ = rows.segments[segment]
    size, group = 4 * shape.head_dim, shape.heads // shape.kv_heads
    query, key = kv_head * group, shape.heads + kv_head
    start = rows.qkv.ctypes.data + row * rows.qkv.strides[0]
    fetch_lines(start + query * size, group * size)
    fetch_lines(start + key * size, size)
    fetch_lines(start + (key + shape.kv_heads) * size, size)
    for affine in (weights.head_weight, weights.head_bias):
        start = affine.ctypes.data + layer * affine.strides[0]
        fetch_lines(start + query * size, group * size)
        fetch_lines(start + key * size, size)
    offset = pool_offset(work, layer, item, position)
    fetch_lines(work.keys + offset, work.pool_strides[2])
    fetch_lines(work.values + offset, work.pool_strides[2])


@compiled
def pool_offset(work: Pass, layer: int, item: int, place: int) -> int:
    """Of an item's stored key or value in its pool; place: in the segment's run."""
    strides = work.pool_strides
    segment, kv_head = divmod(item, work.shape.kv_heads)
    start = work.rows.segments[segment, 3]
    return layer * strides[0] + kv_head * strides[1] + (start + place) * strides[2]


@compiled
def store(work: Pass, numbers: Floats, address: int) -> None:
    """Write a key or value into its pool."""
    if work.shape.pool == HALVES:
        store_as_halves(numbers.ctypes.data, len(numbers) // LANES, address)
    else:
        store_as_floats(numbers.ctypes.data, len(numbers) // LANES, address)


@compiled
def turn(work: Pass, layer: int, row: int, head: int, scratch: Scratch) -> None:
    """Norm and turn a row's query head, or the key head behind them, into `scratch.query`."""
    size, weights = work.shape.head_dim, work.weights
    turn_head(
        work.rows.qkv[row, head * size : (head + 1) * size],
        (weights.head_weight[layer, head], weights.head_bias[layer, head]),
        work.rows.rotary[row],
        scratch.normed,
        scratch.query,
    )


@compiled
def store_keys(work: Pass, layer: int, item: int, scratch: Scratch) -> None:
    """Write the keys and values of a segment's rows for one head."""
    shape, rows = work.shape, work.rows
    segment, kv_head = divmod(item, shape.kv_heads)
    first, count, position, _ = rows.segments[segment]
    head = shape.heads + kv_head
    value_at = (head + shape.kv_heads) * shape.head_dim
    for row in range(first, first + count):
        offset = pool_offset(work, layer, item, position + row - first)
        turn(work, layer, row, head, scratch)
        store(work, scratch.query, work.keys + offset)
        store(work, rows.qkv[row, value_at : value_at + shape.head_dim], work.values + offset)


@compiled
def answer_queries(work: Pass, layer: int, item: int, scratch: Scratch, ahead: int) -> None:
    """Attention of a segment's rows, for the query heads that share one head of keys.

    ahead: offset of the keys that are needed next.
    """
    shape, rows = work.shape, work.rows
    segment, kv_head = divmod(item, shape.kv_heads)
    first, count, position, _ = rows.segments[segment]
    size, group = shape.head_dim, shape.heads // shape.kv_heads
    offset = pool_offset(work, layer, item, 0)
    for row in range(first, first + count):
        visible = Visible(offset, position + row - first + 1, ahead)
        for head in range(kv_head * group, (kv_head + 1) * group):
            turn(work, layer, row, head, scratch)
            out = rows.attended[row, head * size : (head + 1) * size]
            attend(work, visible, scratch, out)


@compiled_sums
def turn_head(
    head: Floats, affine: tuple[Floats, Floats], rotary: Floats, normed: Floats, out: Floats
) -> None:
    """LayerNorm of a query's or key's head, its affine pair, and its rotary turn."""
    weight, bias = affine
    size = len(head)
    mean = np.float32(0)
    for index in range(size):
        mean += head[index]
    mean /= np.float32(size)
    variance = np.float32(0)
    for index in range(size):
        variance += (head[index] - mean) * (head[index] - mean)
    factor = np.float32(1) / np.sqrt(variance / np.float32(size) + np.float32(HEAD_EPS))
    for index in range(size):
        normed[index] = (head[index] - mean) * factor * weight[index] + bias[index]
    half = size // 2
    for index in range(half):
        first, second = normed[index], normed[index + half]
        out[index] = first * rotary[0, index] + second * rotary[1, index]
        out[index + half] = second * rotary[0, index + half] + first * rotary[1, index + half]


@compiled
def attend(work: Pass, visible: Visible, scratch: Scratch, out: Floats) -> None:
    """Softmax attention of `scratch.query`.

    Scores are made of whole groups of keys, whatever lies beyond the last. While keys are read their values
    are fetched, and while values are read the keys that are needed next.
    """
    query, scores = scratch.query, scratch.scores
    stride, size, length = work.pool_strides[2], len(query), visible.length
    keys, values, weights = work.keys + visible.offset, work.values + visible.offset, scores.ctypes.data
    groups = (length + KEYS - 1) // KEYS
    if work.shape.pool == HALVES:
        half_dot_products(query.ctypes.data, keys, stride, size // LANES, groups, weights, values)
    else:
        float_dot_products(query.ctypes.data, keys, stride, size // LANES, groups, weights, values)
    total = soften(scores[:length], 1 / math.sqrt(size))
    out[:] = 0
    add_values(work, values, scores[:length], work.keys + visible.ahead, out)
    for index in range(size):
        out[index] /= total


@compiled
def add_values(work: Pass, values: int, scores: Floats, ahead: int, out: Floats) -> None:
    """out += the sum of values times their scores. ahead: address of as much to be fetched meanwhile."""
    weights, stride, length, sums = scores.ctypes.data, work.pool_strides[2], len(scores), out.ctypes.data
    halves = work.shape.pool == HALVES
    whole = len(out) - len(out) % HEAD
    for first in range(0, whole, HEAD):
        near = ahead + (2 if halves else 4) * first
        if halves:
            HALF_HEAD(weights, 0, values + 2 * first, stride, length, sums + 4 * first, 0, near, stride)
        else:
            FLOAT_HEAD(weights, 0, values + 4 * first, stride, length, sums + 4 * first, 0, near, stride)
    for lane in range(whole, len(out), LANES):
        if halves:
            HALF_VECTOR(weights, 0, values + 2 * lane, stride, length, sums + 4 * lane, 0, 0, 0)
        else:
            FLOAT_VECTOR(weights, 0, values + 4 * lane, stride, length, sums + 4 * lane, 0, 0, 0)


@compiled
def ordered(bits: np.int32) -> np.int32:
    """A float32's bits as an integer of the same order, so that vectors of them are compared; and back."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & MAGNITUDE))


@compiled_sums
def soften(scores: Floats, scale: float) -> np.float32:
    """Turn scores into exponentials of their scaled distance to the largest; their sum."""
    bits, highest = scores.view(np.int32), SMALLEST
    for index in range(len(bits)):
        highest = max(highest, ordered(bits[index]))
    largest = np.int32(ordered(highest)).view(np.float32)
    total = np.float32(0)
    for index in range(len(scores)):
        scores[index] = exponential((scores[index] - largest) * np.float32(scale))
        total += scores[index]
    return total
