"""Attention of a pass over the cached keys, shared out among the threads by segments and heads."""

import math
from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import Floats, Pass, Scratch
from services.worker.engine.fused.compiling import compiled, compiled_sums
from services.worker.engine.fused.machine_code import (
    BLOCK,
    LANES,
    dot_products,
    float_tile_of_one,
    float_vector,
)
from services.worker.engine.fused.phases import finish, take
from services.worker.engine.fused.rows import exponential

HEAD_EPS: Final = 1e-5
"""Fixed in the reference, whatever `rms_norm_eps` says."""


@compiled
def attention_phase(work: Pass, phase: int, layer: int, scratch: Scratch) -> bool:
    """Attention of all rows in one layer; whether this thread did the last of it."""
    items = len(work.rows.segments) * work.shape.kv_heads
    item = take(work.counters, phase)
    while item < items:
        segment, kv_head = divmod(item, work.shape.kv_heads)
        store_keys(work, layer, segment, kv_head, scratch)
        answer_queries(work, layer, segment, kv_head, scratch)
        if finish(work.counters, phase, items):
            return True
        item = take(work.counters, phase)
    return False


@compiled
def store_keys(work: Pass, layer: int, segment: int, kv_head: int, scratch: Scratch) -> None:
    """Write the keys and values of a segment's rows for one head into the pool."""
    shape, rows, weights = work.shape, work.rows, work.weights
    first, count, position, start = rows.segments[segment]
    size, head = shape.head_dim, shape.heads + kv_head
    key_at, value_at = head * size, (head + shape.kv_heads) * size
    for row in range(first, first + count):
        place = start + position + row - first
        turn_head(
            rows.qkv[row, key_at : key_at + size],
            (weights.head_weight[layer, head], weights.head_bias[layer, head]),
            rows.rotary[row],
            scratch.normed,
            work.keys[layer, kv_head, place],
        )
        work.values[layer, kv_head, place] = rows.qkv[row, value_at : value_at + size]


@compiled
def answer_queries(work: Pass, layer: int, segment: int, kv_head: int, scratch: Scratch) -> None:
    """Attention of a segment's rows, for the query heads that share one head of keys."""
    shape, rows, weights = work.shape, work.rows, work.weights
    first, count, position, start = rows.segments[segment]
    keys, values = work.keys[layer, kv_head], work.values[layer, kv_head]
    size, group = shape.head_dim, shape.heads // shape.kv_heads
    for row in range(first, first + count):
        end = start + position + row - first + 1
        for head in range(kv_head * group, (kv_head + 1) * group):
            at = head * size
            turn_head(
                rows.qkv[row, at : at + size],
                (weights.head_weight[layer, head], weights.head_bias[layer, head]),
                rows.rotary[row],
                scratch.normed,
                scratch.query,
            )
            out = rows.attended[row, at : at + size]
            attend(scratch.query, keys[start:end], values[start:end], scratch.scores, out)


@compiled_sums
def turn_head(
    head: Floats, affine: tuple[Floats, Floats], rotary: Floats, normed: Floats, out: Floats
) -> None:
    """LayerNorm of a query's or key's head, its affine pair, and its rotary turn."""
    weight, bias = affine
    size = len(head)
    mean = np.float32(0)
    for value in head:
        mean += value
    mean /= np.float32(size)
    variance = np.float32(0)
    for value in head:
        variance += (value - mean) * (value - mean)
    factor = np.float32(1) / np.sqrt(variance / np.float32(size) + np.float32(HEAD_EPS))
    for index in range(size):
        normed[index] = (head[index] - mean) * factor * weight[index] + bias[index]
    half = size // 2
    for index in range(half):
        first, second = normed[index], normed[index + half]
        out[index] = first * rotary[0, index] + second * rotary[1, index]
        out[index + half] = second * rotary[0, index + half] + first * rotary[1, index + half]


@compiled
def attend(query: Floats, keys: Floats, values: Floats, scores: Floats, out: Floats) -> None:
    """Softmax attention of one query over all of these keys."""
    length, size = keys.shape
    stride, weights = keys.strides[0], scores.ctypes.data
    dot_products(query.ctypes.data, keys.ctypes.data, stride, size // LANES, length, weights)
    total = soften(scores[:length], 1 / math.sqrt(size))
    out[:] = 0
    whole = size - size % BLOCK
    for first in range(0, whole, BLOCK):
        there = 4 * first
        float_tile_of_one(weights, 0, values.ctypes.data + there, stride, length, out.ctypes.data + there, 0)
    for first in range(whole, size, LANES):
        there = 4 * first
        float_vector(weights, 0, values.ctypes.data + there, stride, length, out.ctypes.data + there, 0)
    for index in range(size):
        out[index] /= total


@compiled_sums
def soften(scores: Floats, scale: float) -> np.float32:
    """Turn scores into exponentials of their scaled distance to the largest; their sum."""
    largest = np.float32(-np.inf)
    for score in scores:
        largest = max(largest, score)
    total = np.float32(0)
    for index in range(len(scores)):
        scores[index] = exponential((scores[index] - largest) * np.float32(scale))
        total += scores[index]
    return total
