"""What is done to whole rows between the products: norms, residuals, rounding."""

from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import BYTES, Floats, Pass, Rows, Shorts
from services.worker.engine.fused.compiling import compiled, compiled_sums

FIXED_LEVELS: Final = 32767
"""Activations beside int8 weights: 15 bits of a row's largest magnitude."""

MAGNITUDE: Final = np.int32(0x7FFFFFFF)
"""All bits of a float32 but its sign. As integers magnitudes have the same order, and whole vectors of them
are compared."""


@compiled_sums
def norm_row(row: Floats, weight: Floats, eps: float, out: Floats) -> None:
    """Root-mean-square norm."""
    total = np.float32(0)
    for index in range(len(row)):
        total += row[index] * row[index]
    factor = np.float32(1) / np.sqrt(total / np.float32(len(row)) + np.float32(eps))
    for index in range(len(row)):
        out[index] = row[index] * factor * weight[index]


@compiled_sums
def fix_row(row: Floats, fixed: Shorts) -> np.float32:
    """Round to 15 bits of the largest magnitude; returns what one step is."""
    bits, highest = row.view(np.int32), np.int32(0)
    for index in range(len(bits)):
        highest = max(highest, bits[index] & MAGNITUDE)
    largest = max(np.int32(highest).view(np.float32), np.float32(1e-30))
    factor = np.float32(FIXED_LEVELS) / largest
    for index in range(len(row)):
        fixed[index] = np.int16(np.rint(row[index] * factor))
    return largest / np.float32(FIXED_LEVELS)


@compiled
def fix_rows(values: Floats, rows: Rows, count: int) -> None:
    """Prepare `values` for a product with int8 weights."""
    for row in range(count):
        rows.fixed_scales[row] = fix_row(values[row], rows.fixed[row])
        rows.fixed[row, values.shape[1]] = 0  # makes an odd number of inputs even


@compiled
def begin_rows(work: Pass) -> None:
    """Make the embeddings what the first layer reads."""
    shape, rows = work.shape, work.rows
    for row in range(work.row_count):
        if shape.swin_norm:
            rows.normed[row] = rows.residual[row]
        else:
            norm_row(rows.residual[row], work.weights.norms[0], shape.eps, rows.normed[row])
    if shape.form == BYTES:
        fix_rows(rows.normed, rows, work.row_count)


@compiled
def add_rows(work: Pass, norm: int) -> None:
    """Add a product to the residual stream, and make it what the next product reads.

    norm: index of the norm that comes next in a model that norms inputs.
    """
    shape, rows, norms = work.shape, work.rows, work.weights.norms
    last = norm == 2 * shape.layers
    for row in range(work.row_count):
        residual, added = rows.residual[row], rows.added[row, : shape.hidden]
        if shape.swin_norm:
            norm_row(added, norms[norm - 1], shape.eps, added)
        for index in range(shape.hidden):
            residual[index] += added[index]
        if last or not shape.swin_norm:
            norm_row(residual, norms[norm], shape.eps, rows.normed[row])
        else:
            rows.normed[row] = residual
    if shape.form == BYTES and not last:
        fix_rows(rows.normed, rows, work.row_count)


@compiled_sums
def exponential(number: np.float32) -> np.float32:
    """e to a number, within two units in the last place, in steps that a compiler takes for a whole vector.

    The polynomial is that of Cephes' expf.
    """
    number = max(min(number, np.float32(88)), np.float32(-87))
    power = np.floor(number * np.float32(1.44269504) + np.float32(0.5))
    rest = number - power * np.float32(0.693359375) - power * np.float32(-2.12194440e-4)
    series = np.float32(1.9875691500e-4)
    series = series * rest + np.float32(1.3981999507e-3)
    series = series * rest + np.float32(8.3334519073e-3)
    series = series * rest + np.float32(4.1665795894e-2)
    series = series * rest + np.float32(1.6666665459e-1)
    series = series * rest + np.float32(5.0000001201e-1)
    series = series * rest * rest + rest + np.float32(1)
    bits = np.int32((np.int32(power) + np.int32(127)) << np.int32(23))
    return series * bits.view(np.float32)
