"""Attention over the key-value pool; the threads share the work by segments and key heads."""

import math
from typing import Final

import numpy as np

from services.worker.engine.fused.codegen.arrays import HALVES, Floats, Pass, Place, Scratch, Visible
from services.worker.engine.fused.codegen.compiling import compiled, compiled_sums
from services.worker.engine.fused.codegen.features import LANES
from services.worker.engine.fused.codegen.head_kernels import (
    KEYS,
    STEP,
    deinterleave_query,
    fetch_lines,
    float_dot_products,
    half_dot_products,
    store_as_floats,
    store_as_halves,
)
from services.worker.engine.fused.codegen.value_kernels import (
    HEAD,
    weigh_float_heads,
    weigh_float_steps,
    weigh_half_heads,
    weigh_half_steps,
)
from services.worker.engine.fused.run.phases import finish, take, wait
from services.worker.engine.fused.run.rows import MAGNITUDE, exponential

HEAD_EPS: Final = 1e-5
"""The reference uses this constant for the norms of queries and keys, not `rms_norm_eps`."""

SMALLEST: Final = np.int32(-0x80000000)


@compiled
def attention_phase(work: Pass, phase: int, layer: int, scratch: Scratch) -> None:
    """Attention of all rows in one layer.

    A thread takes its next item before it computes the current one, to prefetch what the next one reads.
    """
    items = len(work.rows.segments) * work.shape.kv_heads
    item = take(work.counters, phase)
    place = place_of(work, layer, min(item, items - 1))
    while item < items:
        item = take(work.counters, phase)
        following = place_of(work, layer, item) if item < items else place
        fetch_row(work, layer, following)
        store_keys(work, layer, place, scratch)
        attend_queries(work, layer, place, scratch, following.offset)
        finish(work.counters, phase)
        place = following
    wait(work.counters, phase, items)


@compiled
def place_of(work: Pass, layer: int, item: int) -> Place:
    """Segment, key head and pool offset of a work item. item: index below segments * key heads."""
    strides = work.pool_strides
    segment, kv_head = divmod(item, work.shape.kv_heads)
    row, count, position, start = work.rows.segments[segment]
    offset = layer * strides[0] + kv_head * strides[1] + start * strides[2]
    return Place(row, count, position, kv_head, offset)


@compiled
def fetch_row(work: Pass, layer: int, place: Place) -> None:
    """Prefetch the queries, keys and values that an item reads first, and the lines that it writes."""
    shape, weights, rows = work.shape, work.weights, work.rows
    size, group = 4 * shape.head_dim, shape.heads // shape.kv_heads
    query, key = place.kv_head * group, shape.heads + place.kv_head
    start = rows.qkv.ctypes.data + place.row * rows.qkv.strides[0]
    fetch_lines(start + query * size, group * size)
    fetch_lines(start + key * size, size)
    fetch_lines(start + (key + shape.kv_heads) * size, size)
    for affine in (weights.head_weight, weights.head_bias):
        start = affine.ctypes.data + layer * affine.strides[0]
        fetch_lines(start + query * size, group * size)
        fetch_lines(start + key * size, size)
    offset = place.offset + place.position * work.pool_strides[2]
    fetch_lines(work.keys + offset, work.pool_strides[2])
    fetch_lines(work.values + offset, work.pool_strides[2])


@compiled
def store(work: Pass, numbers: Floats, address: int) -> None:
    """Write a key or a value into its pool, in the pool's storage format."""
    if work.shape.pool == HALVES:
        store_as_halves(numbers.ctypes.data, len(numbers) // LANES, address)
    else:
        store_as_floats(numbers.ctypes.data, len(numbers) // LANES, address)


@compiled
def rotate_head(work: Pass, layer: int, row: int, head: int, scratch: Scratch) -> None:
    """Normalise and rotate one head of a row into `scratch.query`; query heads come first, then key heads."""
    size, weights = work.shape.head_dim, work.weights
    normalise_and_rotate(
        work.rows.qkv[row, head * size : (head + 1) * size],
        (weights.head_weight[layer, head], weights.head_bias[layer, head]),
        work.rows.rotary[row],
        scratch.normed,
        scratch.query,
    )


@compiled
def store_keys(work: Pass, layer: int, place: Place, scratch: Scratch) -> None:
    """Write the keys and values of a segment's rows for one key head into the pool."""
    shape, rows = work.shape, work.rows
    head = shape.heads + place.kv_head
    value_at = (head + shape.kv_heads) * shape.head_dim
    offset = place.offset + place.position * work.pool_strides[2]
    for row in range(place.row, place.row + place.row_count):
        rotate_head(work, layer, row, head, scratch)
        store(work, scratch.query, work.keys + offset)
        store(work, rows.qkv[row, value_at : value_at + shape.head_dim], work.values + offset)
        offset += work.pool_strides[2]


@compiled
def attend_queries(work: Pass, layer: int, place: Place, scratch: Scratch, ahead: int) -> None:
    """Attention of a segment's rows, for the query heads that share one key head.

    ahead: byte offset of the keys of the next work item, to prefetch.
    """
    shape, rows = work.shape, work.rows
    size, group = shape.head_dim, shape.heads // shape.kv_heads
    for index in range(place.row_count):
        row = place.row + index
        visible = Visible(place.offset, place.position + index + 1, ahead)
        for head in range(place.kv_head * group, (place.kv_head + 1) * group):
            rotate_head(work, layer, row, head, scratch)
            attend(work, visible, scratch, rows.attended[row, head * size : (head + 1) * size])


@compiled_sums
def normalise_and_rotate(
    head: Floats, affine: tuple[Floats, Floats], rotary: Floats, normed: Floats, out: Floats
) -> None:
    """LayerNorm of a query or key head with its weight and bias (`affine`), then its rotary embedding."""
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

    Scores are computed for whole groups of KEYS keys; those past the last key are ignored. While keys are
    read, their values are prefetched; while values are read, the keys of the next work item.
    """
    query, scores = scratch.query, scratch.scores
    stride, size, length = work.pool_strides[2], len(query), visible.length
    keys, values, weights = work.keys + visible.offset, work.values + visible.offset, scores.ctypes.data
    groups, steps = (length + KEYS - 1) // KEYS, size // STEP
    if work.shape.pool == HALVES:
        deinterleave_query(query.ctypes.data, steps, scratch.normed.ctypes.data)
        half_dot_products(scratch.normed.ctypes.data, keys, stride, steps, groups, weights, values)
    else:
        float_dot_products(query.ctypes.data, keys, stride, steps, groups, weights, values)
    total = exponentiate(scores[:length], 1 / math.sqrt(size))
    weigh(work, (values, work.keys + visible.ahead), scores[:length], np.float32(1) / total, out)


@compiled
def weigh(work: Pass, places: tuple[int, int], scores: Floats, factor: np.float32, out: Floats) -> None:
    """out = factor * sum over i of scores[i] * values[i].

    places: addresses of the values, and of as many bytes to prefetch.
    """
    weights, stride, length, sums = scores.ctypes.data, work.pool_strides[2], len(scores), out.ctypes.data
    values, ahead = places
    halves = work.shape.pool == HALVES
    width = 2 if halves else 4
    whole = len(out) - len(out) % HEAD
    for first in range(0, whole, HEAD):
        here, there, near = values + width * first, sums + 4 * first, ahead + width * first
        if halves:
            weigh_half_heads(weights, here, stride, length, factor, there, near)
        else:
            weigh_float_heads(weights, here, stride, length, factor, there, near)
    for first in range(whole, len(out), STEP):
        here, there, near = values + width * first, sums + 4 * first, ahead + width * first
        if halves:
            weigh_half_steps(weights, here, stride, length, factor, there, near)
        else:
            weigh_float_steps(weights, here, stride, length, factor, there, near)


@compiled
def ordered(bits: np.int32) -> np.int32:
    """Map the bits of a float32 to an integer of the same order, or back; integer maxima are vectorised."""
    return np.int32(bits ^ ((bits >> np.int32(31)) & MAGNITUDE))


@compiled_sums
def exponentiate(scores: Floats, scale: float) -> np.float32:
    """Replace each score by exp((score - largest) * scale); returns the sum of the results."""
    bits, highest = scores.view(np.int32), SMALLEST
    for index in range(len(bits)):
        highest = max(highest, ordered(bits[index]))
    largest = np.int32(ordered(highest)).view(np.float32)
    total = np.float32(0)
    for index in range(len(scores)):
        scores[index] = exponential((scores[index] - largest) * np.float32(scale))
        total += scores[index]
    return total
