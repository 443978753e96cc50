"""Quantised products of the bitsandbytes library, on CUDA and on the CPU.

Sources: LLM.int8() (Dettmers et al. 2022, arXiv 2208.07339), section 3; NF4 is QLoRA's (arXiv 2305.14314),
section 3.
"""

import bitsandbytes.functional as bnb
from torch import Tensor

from services.worker.engine.linear_kernels import FixedTileKernel

NF4_BLOCK = 64
"""Weights that share one scale."""

NF4_TILE = 16
"""Rows of one product; the weights are expanded once for all tiles of a call."""


class Nf4Kernel:
    """Weights in 4-bit normal floats, expanded to the dtype of the inputs for each call.

    Saves memory, not time: expanding costs about as much as reading 16-bit weights would.
    """

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.state = bnb.quantize_4bit(
            weight.contiguous(), blocksize=NF4_BLOCK, quant_type="nf4"
        )
        self.bias = bias
        self.outputs, self.inputs = weight.shape
        self.weight_bytes = self.weight.nbytes + self.state.absmax.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        weight = bnb.dequantize_4bit(self.weight, self.state).to(inputs.dtype)
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
        # Each factor is a row's largest magnitude; 127 steps a side.
        product = sums.float() * (scales[:, None] / 127) * (self.scales / 127)
        product = product.to(inputs.dtype)
        return product if self.bias is None else product + self.bias
