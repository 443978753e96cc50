"""Matrix products of the decoder, one class a kernel: [rows, inputs] -> [rows, outputs].

Every kernel owns its weights in its own layout. Rows arrive padded to `row_shapes.ROW_COUNTS`, and a
kernel's claim is that a row's result is the same bits in every such call; `self_check` holds it to that.
Figures in RESEARCH-style order are kept in docs/benchmarks.md; why these kernels: docs/decisions.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

INT8_LEVELS = 127
"""Weights are symmetric: -127 to 127, so that negation is exact."""


class LinearKernel(Protocol):
    """A linear map with its weights in a kernel's own layout."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """[rows, inputs] -> [rows, outputs], in the dtype of the inputs."""
        ...

    @property
    def inputs(self) -> int: ...

    @property
    def outputs(self) -> int: ...

    @property
    def weight_bytes(self) -> int:
        """Bytes that one call reads of its weights."""
        ...

    @property
    def fewest_rows(self) -> int:
        """Below this number, fewer rows are not faster."""
        ...


class PlainKernel:
    """`F.linear` on the weights as they are: the fallback that every device has."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight
        self.bias = bias
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = weight.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight, self.bias)


class FixedTileKernel:
    """`F.linear` in calls of exactly `tile` rows: invariant wherever a GEMM is deterministic at all."""

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
    """oneDNN on weights that were reordered once: the fastest fp32 and bf16 product.

    Its sums run over the inputs in one order whatever the number of rows, from two rows on. Four rows are
    not slower than two.
    """

    fewest_rows = 4

    @staticmethod
    def supports(dtype: torch.dtype) -> bool:
        """Whether this CPU has what oneDNN needs for weights of this dtype."""
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
    """Symmetric int8 with one float32 scale a row: weight [outputs, inputs] ~ codes * scales[:, None]."""
    exact = weight.float()
    scales = exact.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / INT8_LEVELS
    codes = (exact / scales[:, None]).round_().clamp_(-INT8_LEVELS, INT8_LEVELS)
    return codes.to(torch.int8), scales


class Int8DigitKernel:
    """Int8 weights times activations in 15-bit fixed point, as two exact integer products.

    A row's activations are rounded to 32,639 steps of its largest magnitude, finer than bf16's 8 bits, and
    split into two base-256 digits, so that VNNI units multiply bytes. Integer sums are exact in any order:
    a row's bits cannot depend on its company. The quotient and the digits are elementwise.
    """

    LEVELS = 127 * 256 + 127
    MIDDLE = 128 * 256
    """Added to every fixed-point number, so that both digits are unsigned."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        codes, scales = quantize_rows_int8(weight)
        self.outputs, self.inputs = weight.shape
        self.scales = scales / self.LEVELS
        # Added to both digits' sums, it takes the middle out of low + 256 * high.
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
        """Low then high bytes of [rows, inputs] numbers plus MIDDLE: [2 * rows, inputs] unsigned bytes."""
        rows, inputs = fixed.shape
        # The half makes the cut that follows round to the nearest.
        unsigned = fixed.add_(self.MIDDLE + 0.5).to(torch.uint16)
        return unsigned.view(torch.uint8).view(rows, inputs, 2).permute(2, 0, 1).reshape(2 * rows, inputs)

    def _multiply(self, digits: Tensor) -> Tensor:
        """[rows, inputs] bytes -> [rows, outputs] sums in units of a row's largest magnitude."""
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
    """PyTorch's weight-only int8 product with bf16 activations, for machines without VNNI units."""

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
