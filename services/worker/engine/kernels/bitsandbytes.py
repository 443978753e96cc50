"""Quantised kernels of the bitsandbytes library, on CUDA and on the CPU.

Sources: int8: LLM.int8() (Dettmers et al. 2022, arXiv 2208.07339), section 3; NF4: QLoRA (arXiv 2305.14314),
section 3.
"""

from dataclasses import dataclass

import bitsandbytes.functional as bnb
import torch
from torch import Tensor

from services.worker.engine.kernels.linear import FixedTileKernel

NF4_BLOCK = 64
"""Weights that share one scale."""

NF4_TILE = 16
"""Rows of one product; the weights are expanded once for all tiles of a call."""

QUANTISED_AT_A_TIME = 1 << 20
"""Weights that are quantised in one call; the library needs about ten bytes of memory for each."""


@dataclass(frozen=True)
class Nf4Weights:
    """Quantised weights. codes: two weights per byte, in blocks of NF4_BLOCK. state: scales and shape."""

    codes: Tensor
    state: bnb.QuantState

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.state.absmax.nbytes


def quantise_nf4(weight: Tensor) -> Nf4Weights:
    """Quantise weights [outputs, inputs] to 4-bit normal floats, a group of rows at a time.

    Where blocks cross the ends of rows, all weights are quantised in one call: a group must not cut a block.
    """
    inputs = weight.shape[1]
    rows = max(1, QUANTISED_AT_A_TIME // inputs) if inputs % NF4_BLOCK == 0 else len(weight)
    parts = [
        bnb.quantize_4bit(part.contiguous(), blocksize=NF4_BLOCK, quant_type="nf4")
        for part in weight.split(rows)
    ]
    state = parts[0][1]
    state.shape = weight.shape
    state.absmax = torch.cat([part.absmax for _, part in parts])
    return Nf4Weights(torch.cat([codes for codes, _ in parts]), state)


class Nf4Kernel:
    """NF4 weights, expanded to the dtype of the inputs in each call.

    This saves memory, not time: expanding costs about as much as reading 16-bit weights.
    """

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weights = quantise_nf4(weight)
        self.bias = bias
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = self.weights.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        weight = bnb.dequantize_4bit(self.weights.codes, self.weights.state).to(inputs.dtype)
        return FixedTileKernel(weight, self.bias, NF4_TILE)(inputs)


class BnbInt8Kernel:
    """Int8 weights times activations rounded to int8 row by row: exact integer sums on tensor cores."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.codes, self.scales, _ = bnb.int8_vectorwise_quant(weight.half())
        self.bias = bias
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = self.codes.nbytes + self.scales.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        codes, scales, _ = bnb.int8_vectorwise_quant(inputs.half())
        sums = bnb.int8_linear_matmul(codes, self.codes)
        # a scale is the largest magnitude of a row, which int8 stores as 127
        product = sums.float() * (scales[:, None] / 127) * (self.scales / 127)
        product = product.to(inputs.dtype)
        return product if self.bias is None else product + self.bias
