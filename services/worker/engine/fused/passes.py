"""One forward pass over all layers, run by every thread of the decoder at once.

A row meets the same operations in the same order whatever rows are beside it, so its bits are its own.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import BYTES, Pass, Product, Rows, Scratch, Weights
from services.worker.engine.fused.atomics import plain
from services.worker.engine.fused.attention import attention_phase
from services.worker.engine.fused.compiling import compiled, entry, sources_digest
from services.worker.engine.fused.features import MATRIX_UNITS
from services.worker.engine.fused.head_kernels import KEYS
from services.worker.engine.fused.matrix_units import TILE_ROWS, claim_tiles, free_tiles
from services.worker.engine.fused.products import gate_phase, multiplied_rows, multiply_phase
from services.worker.engine.fused.rows import add_phase, begin_phase, prepare_phase

PHASES_PER_LAYER: Final = 9


def make_run_pass(sources: str) -> Callable[[Pass], None]:
    """The entry; sources: see `sources_digest`."""

    @entry
    def run_pass(work: Pass) -> None:
        if sources:
            if MATRIX_UNITS:
                claim_tiles(min(multiplied_rows(work), TILE_ROWS))
            run_layers(uncounted(work))
            if MATRIX_UNITS:
                free_tiles()

    return run_pass


@compiled
def uncounted(work: Pass) -> Pass:
    """The same on arrays whose references are not counted: threads that count take turns, at every slice."""
    weights, rows = work.weights, work.rows
    return Pass(
        work.shape,
        Weights(
            plain(weights.packed),
            plain(weights.scales),
            plain(weights.biases),
            plain(weights.norms),
            plain(weights.head_weight),
            plain(weights.head_bias),
        ),
        Rows(
            plain(rows.residual),
            plain(rows.normed),
            plain(rows.fixed),
            plain(rows.fixed_scales),
            plain(rows.qkv),
            plain(rows.attended),
            plain(rows.added),
            plain(rows.inner),
            plain(rows.rotary),
            plain(rows.segments),
        ),
        work.row_count,
        work.longest,
        work.keys,
        work.values,
        plain(work.pool_strides),
        plain(work.counters),
    )


@compiled
def run_layers(work: Pass) -> None:
    """Take part in a pass, from embeddings in `rows.residual` to final states in `rows.normed`."""
    size = work.shape.head_dim
    scratch = Scratch(
        np.empty(work.longest + KEYS, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    )
    begin_phase(work, 0, 0)
    for layer in range(work.shape.layers):
        run_attention(work, layer, scratch)
        run_feed_forward(work, layer)


@compiled
def run_attention(work: Pass, layer: int, scratch: Scratch) -> None:
    """The first half of a layer."""
    shape, rows = work.shape, work.rows
    phase = 1 + layer * PHASES_PER_LAYER
    multiply_phase(work, phase, rows.normed, product(work, layer, 0, 0, shape.qkv), rows.qkv)
    attention_phase(work, phase + 1, layer, scratch)
    if shape.form >= BYTES:
        prepare_phase(work, phase + 2, rows.attended)
    out = product(work, layer, 1, shape.qkv, shape.added)
    multiply_phase(work, phase + 3, rows.attended, out, rows.added)
    add_phase(work, phase + 4, 2 * layer + 1)


@compiled
def run_feed_forward(work: Pass, layer: int) -> None:
    """The second half of a layer."""
    shape, rows = work.shape, work.rows
    before = shape.qkv + shape.added
    phase = 6 + layer * PHASES_PER_LAYER
    gate_phase(work, phase, product(work, layer, 2, before, shape.gate_up))
    if shape.form >= BYTES:
        prepare_phase(work, phase + 1, rows.inner)
    down = product(work, layer, 3, before + shape.gate_up, shape.added)
    multiply_phase(work, phase + 2, rows.inner, down, rows.added)
    add_phase(work, phase + 3, 2 * layer + 2)


@compiled
def product(work: Pass, layer: int, place: int, before: int, outputs: int) -> Product:
    """The matrix at `place` of a layer, before which the layer has so many outputs."""
    weights = work.weights
    return Product(
        weights.packed[layer, place],
        weights.scales[layer, before : before + outputs],
        weights.biases[layer, before : before + outputs],
    )


run_pass = make_run_pass(sources_digest())
