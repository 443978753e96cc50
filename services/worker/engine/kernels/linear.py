"""Kernels of the decoder's linear layers, one class each: [rows, inputs] -> [rows, outputs].

Every kernel stores its weights in its own layout. Rows arrive padded to `row_shapes.ROW_COUNTS`. A kernel
must be batch-invariant: a row's result has the same bits in every such call, which `self_check` verifies.
Measurements are in docs/benchmarks.md, the reasons for these kernels in docs/decisions.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

INT8_LEVELS = 127
"""Largest int8 weight. The range is symmetric, -127 to 127, so that negation is exact."""


QUANTIZED_AT_A_TIME = 1 << 22
"""Weights that are converted to float32 and quantised at a time."""


class LinearKernel(Protocol):
    """A linear layer with its weights in a kernel's own layout."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """[rows, inputs] -> [rows, outputs], in the dtype of the inputs."""
        ...

    @property
    def inputs(self) -> int: ...

    @property
    def outputs(self) -> int: ...

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that one call reads."""
        ...

    @property
    def fewest_rows(self) -> int:
        """Smallest useful number of rows: a call with fewer is not faster."""
        ...


class PlainKernel:
    """`F.linear` on unchanged weights: runs on every device."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight
        self.bias = bias
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = weight.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight, self.bias)


class FixedTileKernel:
    """`F.linear` in calls of exactly `tile` rows: batch-invariant wherever a GEMM is deterministic."""

    def __init__(self, weight: Tensor, bias: Tensor | None, tile: int = 32) -> None:
        self.plain = PlainKernel(weight, bias)
        self.tile = self.fewest_rows = tile
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = weight.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        rows = inputs.shape[0]
        if rows == self.tile:
            return self.plain(inputs)
        padded = F.pad(inputs, (0, 0, 0, -rows % self.tile))
        return torch.cat([self.plain(tile) for tile in padded.split(self.tile)])[:rows]


class PackedKernel:
    """oneDNN on weights that were reordered once: the fastest of these kernels for fp32 and bf16.

    It sums over the inputs in the same order for any number of rows from two on. Four rows are not slower
    than two.
    """

    fewest_rows = 4

    @staticmethod
    def supports(dtype: torch.dtype) -> bool:
        """Whether oneDNN supports weights of this dtype on this CPU."""
        if dtype is torch.bfloat16:
            return torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return dtype is torch.float32

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 64)
        self.bias = bias
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = weight.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")


def quantize_rows_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Quantise to symmetric int8 with one float32 scale per row: weight ~ codes * scales[:, None].

    weight: [outputs, inputs]. Returns codes, of the same shape, and scales [outputs]. Rows are quantised in
    groups, so that their float32 copies take little memory.
    """
    codes = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scales = torch.empty(len(weight), dtype=torch.float32, device=weight.device)
    rows = max(1, QUANTIZED_AT_A_TIME // max(1, weight.shape[1]))
    for first in range(0, len(weight), rows):
        exact = weight[first : first + rows].float()
        scale = exact.abs().amax(1).clamp_min_(torch.finfo(torch.float32).tiny).div_(INT8_LEVELS)
        scales[first : first + rows] = scale
        codes[first : first + rows] = (exact / scale[:, None]).round_().clamp_(-INT8_LEVELS, INT8_LEVELS)
    return codes, scales


class Int8DigitKernel:
    """Int8 weights times activations in 15-bit fixed point, as two exact integer products.

    A row's activations are rounded to 32,639 steps of its largest magnitude, finer than bf16's 8 bits, and
    split into two base-256 digits, so that VNNI units multiply bytes. Integer sums are exact in any order and
    everything else is elementwise, so the product is batch-invariant.
    """

    LEVELS = 127 * 256 + 127
    MIDDLE = 128 * 256
    """Added to every fixed-point number, so that both digits are unsigned."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        codes, scales = quantize_rows_int8(weight)
        self.outputs, self.inputs = weight.shape
        self.scales = scales / self.LEVELS
        # Added to the sums of both digits, this subtracts MIDDLE from low + 256 * high.
        middle = codes.sum(1, dtype=torch.int64) * -self.MIDDLE
        self.shift = (middle.double() / 257 * self.scales).float()
        self.zeros = torch.zeros(self.outputs, dtype=torch.int32)
        self.packed = torch.ops.onednn.qlinear_prepack(codes, None)
        self.bias = None if bias is None else bias.float()
        self.weight_bytes = codes.nbytes + scales.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        exact = inputs.float()
        largest = exact.abs().amax(1, keepdim=True).clamp_min_(torch.finfo(torch.float32).tiny)
        low, high = self._multiply(self._digits(exact * (self.LEVELS / largest))).chunk(2)
        product = torch.add(low, high, alpha=256).mul_(largest)
        return (product if self.bias is None else product + self.bias).to(inputs.dtype)

    def _digits(self, fixed: Tensor) -> Tensor:
        """Add MIDDLE to `fixed` [rows, inputs] and split it into low, then high bytes [2 * rows, inputs]."""
        rows, inputs = fixed.shape
        # adding a half makes the truncation to integers round to nearest
        unsigned = fixed.add_(self.MIDDLE + 0.5).to(torch.uint16)
        return unsigned.view(torch.uint8).view(rows, inputs, 2).permute(2, 0, 1).reshape(2 * rows, inputs)

    def _multiply(self, digits: Tensor) -> Tensor:
        """Bytes [rows, inputs] -> sums [rows, outputs], still to be multiplied by the row's magnitude."""
        return torch.ops.onednn.qlinear_pointwise(
            digits,
            1.0,
            0,
            self.packed,
            self.scales,
            self.zeros,
            self.shift,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )


class Int8WeightKernel:
    """PyTorch's weight-only int8 product with bf16 activations, for CPUs without VNNI."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.codes, scales = quantize_rows_int8(weight)
        self.scales = scales.bfloat16()
        self.bias = bias
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = self.codes.nbytes + self.scales.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        product = torch.ops.aten._weight_int8pack_mm(inputs.bfloat16(), self.codes, self.scales).to(
            inputs.dtype
        )
        return product if self.bias is None else product + self.bias
