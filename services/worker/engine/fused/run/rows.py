"""Row operations between the matrix products: norms, residuals, rounding."""

from typing import Any, Final

import numpy as np

from services.worker.engine.fused.codegen.arrays import BYTES, MATRIX_HALVES, Bytes, Floats, Pass, Shorts
from services.worker.engine.fused.codegen.compiling import compiled, compiled_sums
from services.worker.engine.fused.codegen.matrix_units import TILE_BYTES
from services.worker.engine.fused.run.phases import finish, take, wait

FIXED_LEVELS: Final = 127 * 256 + 127
"""Largest rounded activation with int8 weights: the largest number that two signed int8 digits hold."""

MAGNITUDE: Final = np.int32(0x7FFFFFFF)
"""Mask of all bits of a float32 but the sign. As integers, magnitudes have the same order, and integer maxima
are vectorised."""


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
def quantization_step(row: Floats) -> np.float32:
    """The step that rounds a row's largest magnitude to FIXED_LEVELS."""
    bits, highest = row.view(np.int32), np.int32(0)
    for index in range(len(bits)):
        highest = max(highest, bits[index] & MAGNITUDE)
    return max(np.int32(highest).view(np.float32), np.float32(1e-30)) / np.float32(FIXED_LEVELS)


@compiled_sums
def quantize_row(row: Floats, step: np.float32, fixed: Shorts) -> None:
    """Round a row to multiples of `step`. A zero is appended, which completes the last pair of an odd row."""
    factor = np.float32(1) / step
    for index in range(len(row)):
        fixed[index] = np.int16(np.rint(row[index] * factor))
    fixed[len(row)] = 0


@compiled_sums
def quantize_row_to_digits(row: Floats, step: np.float32, high: Bytes, low: Bytes) -> None:
    """Round a row to multiples of `step`, as 256 * high + low; both are padded with zeros to whole tiles."""
    factor = np.float32(1) / step
    for index in range(len(row)):
        number = np.int32(np.rint(row[index] * factor))
        high[index] = np.int8((number + np.int32(128)) >> np.int32(8))
        low[index] = np.int8(number)
    for index in range(len(row), len(row) + -len(row) % TILE_BYTES):
        high[index] = low[index] = 0


@compiled
def round_row_to_bfloat16(row: Floats, halves: Shorts) -> None:
    """Round a row to bfloat16, to nearest, ties to even; padded with zeros to whole tiles."""
    bits = row.view(np.uint32)
    for index in range(len(row)):
        odd = (bits[index] >> np.uint32(16)) & np.uint32(1)
        halves[index] = np.int16((bits[index] + odd + np.uint32(0x7FFF)) >> np.uint32(16))
    for index in range(len(row), len(row) + -len(row) % (TILE_BYTES // 2)):
        halves[index] = 0


@compiled
def prepare(work: Pass, row: int, values: Floats) -> None:
    """Round a row into `rows.fixed`, if the storage format of the weights needs rounded inputs."""
    form, rows = work.shape.form, work.rows
    if form == MATRIX_HALVES:
        round_row_to_bfloat16(values, rows.fixed[row])
    elif form >= BYTES:
        step = rows.fixed_scales[row] = quantization_step(values)
        if form == BYTES:
            quantize_row(values, step, rows.fixed[row])
        else:
            digits = rows.fixed[row].view(np.int8)
            half = len(digits) // 2
            quantize_row_to_digits(values, step, digits[:half], digits[half:])


@compiled
def begin_row(work: Pass, row: int, norm: int) -> None:
    """Turn a row's embedding into the input of the first layer. norm: index of the first norm."""
    shape, rows = work.shape, work.rows
    if shape.swin_norm:
        rows.normed[row] = rows.residual[row]
    else:
        norm_row(rows.residual[row], work.weights.norms[norm], shape.eps, rows.normed[row])
    prepare(work, row, rows.normed[row])


@compiled
def add_row(work: Pass, row: int, norm: int) -> None:
    """Add a product's output to the residual stream, and compute the input of the next product.

    norm: index of the next norm in a model that normalises inputs; a Swin-norm model uses the one before it.
    """
    shape, rows, norms = work.shape, work.rows, work.weights.norms
    residual, added = rows.residual[row], rows.added[row, : shape.hidden]
    last = norm == 2 * shape.layers
    if shape.swin_norm:
        norm_row(added, norms[norm - 1], shape.eps, added)
    for index in range(shape.hidden):
        residual[index] += added[index]
    if last or not shape.swin_norm:
        norm_row(residual, norms[norm], shape.eps, rows.normed[row])
    else:
        rows.normed[row] = residual
    if not last:
        prepare(work, row, rows.normed[row])


@compiled
def prepare_row(work: Pass, row: int, values: Floats) -> None:
    """Round a row of `values` for the next product."""
    prepare(work, row, values[row])


def make_row_phase(change_row: Any) -> Any:
    """Compile a phase that runs `change_row(work, row, argument)` for every row, shared among the threads."""

    @compiled
    def row_phase(work: Pass, phase: int, argument: Any) -> None:
        row = take(work.counters, phase)
        while row < work.row_count:
            change_row(work, row, argument)
            finish(work.counters, phase)
            row = take(work.counters, phase)
        wait(work.counters, phase, work.row_count)

    return row_phase


begin_phase, add_phase, prepare_phase = (
    make_row_phase(change) for change in (begin_row, add_row, prepare_row)
)


@compiled_sums
def exponential(number: np.float32) -> np.float32:
    """e ** number, within two units in the last place, written so that the compiler vectorises it.

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
