"""What a pass of the fused decoder reads and writes, as plain arrays: compiled code knows no objects."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]
Shorts = NDArray[np.int16]
Bytes = NDArray[np.int8]


FLOATS, HALVES, BYTES, MATRIX_HALVES, MATRIX_BYTES = range(5)
"""Forms of weights: float32, bfloat16, int8 with a scale an output; the last two again for matrix units.

The pool of keys and values has one of the first two. From BYTES on, products read rounded activations.
"""


class Shape(NamedTuple):
    """Sizes and switches of a model.

    qkv, added, gate_up: outputs of the products, whole blocks each. form: of the weights; pool: of the pool.
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
    """A model. Outputs of a layer's four products stand one after the other in `scales` and `biases`.

    packed: [layers, 4] addresses of the matrices. scales, biases: [layers, outputs],
    scales of int8 weights. norms: [2 * layers + 1, hidden]. head_weight, head_bias: [layers, heads +
    kv_heads, head_dim].
    """

    packed: Longs
    scales: Floats
    biases: Floats
    norms: Floats
    head_weight: Floats
    head_bias: Floats


class Rows(NamedTuple):
    """The rows of a pass, and what lies between its products; first axis: rows.

    residual: the stream that every layer adds to. normed: what a product reads. fixed, fixed_scales: the same
    as int16, as two digits of it, or as bfloat16. rotary: [rows, 2, head_dim], cosines and signed sines.
    segments: [segments, 4], first row, count, position and start in the pool.
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
    """All that the threads of a pass share.

    row_count: rows. longest: the most keys that one of them sees. keys, values: addresses of the pools
    [layers, kv_heads, capacity, head_dim]; pool_strides: of a layer, a head, a place. counters: see `phases`.
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
    """What each thread has for itself. scores: [longest]; query, normed: [head_dim]."""

    scores: Floats
    query: Floats
    normed: Floats


class Place(NamedTuple):
    """An item of attention: the rows of a segment, for one head of keys.

    row, row_count, position: of the segment, see `Rows`. offset: of its stream's first key in the pool.
    """

    row: int
    row_count: int
    position: int
    kv_head: int
    offset: int


class Visible(NamedTuple):
    """The keys and values that a query attends to. offset: of the first, in both pools; length: how many.

    ahead: offset of the keys that are needed next.
    """

    offset: int
    length: int
    ahead: int


class Product(NamedTuple):
    """One matrix of a layer. packed: its address. scales, biases: of its outputs, whole blocks."""

    packed: int
    scales: Floats
    biases: Floats
