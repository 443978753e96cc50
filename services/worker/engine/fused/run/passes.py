"""One forward pass over all layers, run by all threads of the decoder at once.

Every row goes through the same operations in the same order, so passes are batch-invariant.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from services.worker.engine.fused.codegen.arrays import BYTES, Pass, Product, Rows, Scratch, Weights
from services.worker.engine.fused.codegen.atomics import borrowed
from services.worker.engine.fused.codegen.compiling import compiled, entry, sources_digest
from services.worker.engine.fused.codegen.features import MATRIX_UNITS
from services.worker.engine.fused.codegen.head_kernels import KEYS
from services.worker.engine.fused.codegen.matrix_units import TILE_ROWS, claim_tiles, free_tiles
from services.worker.engine.fused.run.attention import attention_phase
from services.worker.engine.fused.run.products import gate_phase, multiplied_rows, multiply_phase
from services.worker.engine.fused.run.rows import add_phase, begin_phase, prepare_phase

PHASES_PER_LAYER: Final = 9


def make_run_pass(sources: str) -> Callable[[Pass], None]:
    """Compile the entry point. sources: see `sources_digest`."""

    @entry
    def run_pass(work: Pass) -> None:
        if sources:
            if MATRIX_UNITS:
                claim_tiles(min(multiplied_rows(work), TILE_ROWS))
            run_layers(borrowed_pass(work))
            if MATRIX_UNITS:
                free_tiles()

    return run_pass


@compiled
def borrowed_pass(work: Pass) -> Pass:
    """The same pass on borrowed arrays: threads that count references at every slice wait for each other."""
    weights, rows = work.weights, work.rows
    return Pass(
        work.shape,
        Weights(
            borrowed(weights.packed),
            borrowed(weights.scales),
            borrowed(weights.biases),
            borrowed(weights.norms),
            borrowed(weights.head_weight),
            borrowed(weights.head_bias),
        ),
        Rows(
            borrowed(rows.residual),
            borrowed(rows.normed),
            borrowed(rows.fixed),
            borrowed(rows.fixed_scales),
            borrowed(rows.qkv),
            borrowed(rows.attended),
            borrowed(rows.added),
            borrowed(rows.inner),
            borrowed(rows.rotary),
            borrowed(rows.segments),
        ),
        work.row_count,
        work.longest,
        work.keys,
        work.values,
        borrowed(work.pool_strides),
        borrowed(work.counters),
    )


@compiled
def run_layers(work: Pass) -> None:
    """One thread's share of a pass, from embeddings in `rows.residual` to final states in `rows.normed`."""
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
    """The attention half of a layer: qkv product, attention, output product, residual."""
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
    """The feed-forward half of a layer: gate and up product, SwiGLU, down product, residual."""
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
    """A matrix of a layer. place: 0 to 3. before: number of outputs of the layer's earlier matrices."""
    weights = work.weights
    return Product(
        weights.packed[layer, place],
        weights.scales[layer, before : before + outputs],
        weights.biases[layer, before : before + outputs],
    )


run_pass = make_run_pass(sources_digest())
