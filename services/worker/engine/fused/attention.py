"""Attention of a pass over the cached keys, shared out among the threads by segments and heads."""

import math
from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import HALVES, Floats, Pass, Scratch
from services.worker.engine.fused.compiling import compiled, compiled_sums
from services.worker.engine.fused.ir_words import LANES
from services.worker.engine.fused.phases import finish, take
from services.worker.engine.fused.rows import exponential
from services.worker.engine.fused.tiles import (
    BLOCK,
    FLOAT_TILES,
    FLOAT_VECTOR,
    HALF_TILES,
    HALF_VECTOR,
    float_dot_products,
    half_dot_products,
    store_as_floats,
    store_as_halves,
)

float_tile_of_one, half_tile_of_one = FLOAT_TILES.of_one, HALF_TILES.of_one

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
def pool_offset(work: Pass, layer: int, kv_head: int, place: int) -> int:
    """Of a stored key or value in its pool."""
    strides = work.pool_strides
    return layer * strides[0] + kv_head * strides[1] + place * strides[2]


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
def store_keys(work: Pass, layer: int, segment: int, kv_head: int, scratch: Scratch) -> None:
    """Write the keys and values of a segment's rows for one head."""
    shape, rows = work.shape, work.rows
    first, count, position, start = rows.segments[segment]
    head = shape.heads + kv_head
    value_at = (head + shape.kv_heads) * shape.head_dim
    for row in range(first, first + count):
        offset = pool_offset(work, layer, kv_head, start + position + row - first)
        turn(work, layer, row, head, scratch)
        store(work, scratch.query, work.keys + offset)
        store(work, rows.qkv[row, value_at : value_at + shape.head_dim], work.values + offset)


@compiled
def answer_queries(work: Pass, layer: int, segment: int, kv_head: int, scratch: Scratch) -> None:
    """Attention of a segment's rows, for the query heads that share one head of keys."""
    shape, rows = work.shape, work.rows
    first, count, position, start = rows.segments[segment]
    size, group = shape.head_dim, shape.heads // shape.kv_heads
    offset = pool_offset(work, layer, kv_head, start)
    for row in range(first, first + count):
        length = position + row - first + 1
        for head in range(kv_head * group, (kv_head + 1) * group):
            turn(work, layer, row, head, scratch)
            attend(work, offset, length, scratch, rows.attended[row, head * size : (head + 1) * size])


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
def attend(work: Pass, offset: int, length: int, scratch: Scratch, out: Floats) -> None:
    """Softmax attention of `scratch.query` over so many keys and values from an offset in their pools on."""
    query, scores = scratch.query, scratch.scores
    stride, size = work.pool_strides[2], len(query)
    keys, weights = work.keys + offset, scores.ctypes.data
    if work.shape.pool == HALVES:
        half_dot_products(query.ctypes.data, keys, stride, size // LANES, length, weights)
    else:
        float_dot_products(query.ctypes.data, keys, stride, size // LANES, length, weights)
    total = soften(scores[:length], 1 / math.sqrt(size))
    out[:] = 0
    for first in range(0, size, BLOCK):
        add_values(work, work.values + offset, first, scores[:length], out)
    for index in range(size):
        out[index] /= total


@compiled
def add_values(work: Pass, values: int, first: int, scores: Floats, out: Floats) -> None:
    """out[first:] += the sum of values times their scores, for a block of numbers or what is left."""
    weights, stride, length, sums = scores.ctypes.data, work.pool_strides[2], len(scores), out.ctypes.data
    halves = work.shape.pool == HALVES
    if first + BLOCK <= len(out):
        if halves:
            half_tile_of_one(weights, 0, values + 2 * first, stride, length, sums + 4 * first, 0)
        else:
            float_tile_of_one(weights, 0, values + 4 * first, stride, length, sums + 4 * first, 0)
        return
    for lane in range(first, len(out), LANES):
        if halves:
            HALF_VECTOR(weights, 0, values + 2 * lane, stride, length, sums + 4 * lane, 0)
        else:
            FLOAT_VECTOR(weights, 0, values + 4 * lane, stride, length, sums + 4 * lane, 0)


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
