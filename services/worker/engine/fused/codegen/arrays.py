"""Inputs and buffers of a fused pass as named tuples of arrays, the only structures compiled code accepts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]
Shorts = NDArray[np.int16]
Bytes = NDArray[np.int8]


FLOATS, HALVES, BYTES, MATRIX_HALVES, MATRIX_BYTES = range(5)
"""Storage formats of weights: float32, bfloat16, int8 with one scale per output, and the last two in the
layout of the AMX matrix units.

The key-value pool is stored as FLOATS or HALVES. With BYTES and the formats after it, matrix products read
rounded activations (`Rows.fixed`).
"""


class Shape(NamedTuple):
    """Sizes and options of a model.

    qkv, added, gate_up: outputs of the matrix products, padded to whole blocks; `added` is for the two
    products that add to the residual stream. form: storage format of the weights. pool: of keys and values.
    """

    layers: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head_dim: int
    qkv: int
    added: int
    gate_up: int
    eps: float
    swin_norm: bool
    form: int
    pool: int


class Weights(NamedTuple):
    """Weights of all layers.

    packed: [layers, 4], addresses of the four packed matrices of a layer. scales, biases: [layers, outputs],
    the outputs of the four products one after the other; scales are those of int8 weights.
    norms: [2 * layers + 1, hidden]. head_weight, head_bias: [layers, heads + kv_heads, head_dim].
    """

    packed: Longs
    scales: Floats
    biases: Floats
    norms: Floats
    head_weight: Floats
    head_bias: Floats


class Rows(NamedTuple):
    """Activations of a pass; the first axis of all but `segments` is rows.

    residual: the residual stream. normed: the input of the next product. fixed: the same input, rounded
    to int16, to two int8 digits or to bfloat16. fixed_scales: the scale of each rounded row.
    rotary: [rows, 2, head_dim], cosines and signed sines.
    segments: [segments, 4], first row, number of rows, position of the first row, start in the pool.
    """

    residual: Floats
    normed: Floats
    fixed: Shorts
    fixed_scales: Floats
    qkv: Floats
    attended: Floats
    added: Floats
    inner: Floats
    rotary: Floats
    segments: Longs


class Pass(NamedTuple):
    """Everything that the threads of a pass share.

    row_count: number of rows. longest: the largest number of keys that a row attends to.
    keys, values: addresses of the pools [layers, kv_heads, capacity, head_dim]. pool_strides: bytes from one
    layer, head and position to the next. counters: see `phases`.
    """

    shape: Shape
    weights: Weights
    rows: Rows
    row_count: int
    longest: int
    keys: int
    values: int
    pool_strides: Longs
    counters: Longs


class Scratch(NamedTuple):
    """Buffers of one thread. scores: [longest + KEYS]; query, normed: [head_dim]."""

    scores: Floats
    query: Floats
    normed: Floats


class Place(NamedTuple):
    """One work item of attention: the rows of one segment and one key head.

    row, row_count, position: fields of the segment, see `Rows`. offset: bytes from the start of the pool to
    the first key of the segment's stream.
    """

    row: int
    row_count: int
    position: int
    kv_head: int
    offset: int


class Visible(NamedTuple):
    """The keys and values that a query attends to.

    offset: bytes from the start of either pool to the first one. length: number of keys.
    ahead: byte offset of the keys of the next work item, to prefetch.
    """

    offset: int
    length: int
    ahead: int


class Product(NamedTuple):
    """One matrix of a layer. packed: its address. scales, biases: one per output, padded to whole blocks."""

    packed: int
    scales: Floats
    biases: Floats
