"""What is done to whole rows between the products: norms, residuals, rounding."""

from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import BYTES, MATRIX_HALVES, Bytes, Floats, Pass, Rows, Shorts
from services.worker.engine.fused.compiling import compiled, compiled_sums
from services.worker.engine.fused.matrix_units import TILE_BYTES

FIXED_LEVELS: Final = 127 * 256 + 127
"""Activations beside int8 weights: 15 bits of a row's largest magnitude, as much as two signed bytes hold."""

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
def step_of(row: Floats) -> np.float32:
    """What one of FIXED_LEVELS is to a row."""
    bits, highest = row.view(np.int32), np.int32(0)
    for index in range(len(bits)):
        highest = max(highest, bits[index] & MAGNITUDE)
    return max(np.int32(highest).view(np.float32), np.float32(1e-30)) / np.float32(FIXED_LEVELS)


@compiled_sums
def fix_row(row: Floats, step: np.float32, fixed: Shorts) -> None:
    """Round to whole steps; a zero behind the last makes an odd number of them even."""
    factor = np.float32(1) / step
    for index in range(len(row)):
        fixed[index] = np.int16(np.rint(row[index] * factor))
    fixed[len(row)] = 0


@compiled_sums
def split_row(row: Floats, step: np.float32, digits: Bytes) -> None:
    """Round to whole steps of two signed digits, with zeros up to whole tiles.

    The first half of `digits` takes the higher ones, the second the lower ones.
    """
    factor, low = np.float32(1) / step, len(digits) // 2
    for index in range(len(row)):
        number = np.int32(np.rint(row[index] * factor))
        digits[index] = np.int8((number + np.int32(128)) >> np.int32(8))
        digits[low + index] = np.int8(number)
    for index in range(len(row), len(row) + -len(row) % TILE_BYTES):
        digits[index] = digits[low + index] = 0


@compiled
def halve_row(row: Floats, halves: Shorts) -> None:
    """Round to bfloat16, to the nearest, from the middle to the even one; zeros up to whole tiles."""
    bits = row.view(np.uint32)
    for index in range(len(row)):
        odd = (bits[index] >> np.uint32(16)) & np.uint32(1)
        halves[index] = np.int16((bits[index] + odd + np.uint32(0x7FFF)) >> np.uint32(16))
    for index in range(len(row), len(row) + -len(row) % (TILE_BYTES // 2)):
        halves[index] = 0


@compiled
def fix_rows(form: int, values: Floats, rows: Rows, count: int) -> None:
    """Prepare `values` for a product with weights of this form."""
    for row in range(count):
        if form == MATRIX_HALVES:
            halve_row(values[row], rows.fixed[row])
        else:
            step = rows.fixed_scales[row] = step_of(values[row])
            if form == BYTES:
                fix_row(values[row], step, rows.fixed[row])
            else:
                split_row(values[row], step, rows.fixed[row].view(np.int8))


@compiled
def begin_rows(work: Pass) -> None:
    """Make the embeddings what the first layer reads."""
    shape, rows = work.shape, work.rows
    for row in range(work.row_count):
        if shape.swin_norm:
            rows.normed[row] = rows.residual[row]
        else:
            norm_row(rows.residual[row], work.weights.norms[0], shape.eps, rows.normed[row])
    if shape.form >= BYTES:
        fix_rows(shape.form, rows.normed, rows, work.row_count)


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
    if shape.form >= BYTES and not last:
        fix_rows(shape.form, rows.normed, rows, work.row_count)


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
