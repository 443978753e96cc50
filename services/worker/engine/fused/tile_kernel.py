"""One product by the tiles of the fused decoder, for the output head."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from services.worker.engine.fused.arrays import FLOATS, HALVES, Floats, Longs
from services.worker.engine.fused.compiling import compiled, entry, sources_digest
from services.worker.engine.fused.packing import pack
from services.worker.engine.fused.phases import new_counters, take
from services.worker.engine.fused.products import block_bytes, multiply_block
from services.worker.engine.fused.threads import run_together
from services.worker.engine.fused.tiles import BLOCK


class TileKernel:
    """A `LinearKernel` of float32 or bfloat16 weights whose rows have the same bits in any company."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.matrix = pack(weight, HALVES if weight.dtype is torch.bfloat16 else FLOATS)
        self.bias = bias
        self.inputs, self.outputs = self.matrix.inputs, self.matrix.outputs
        self.weight_bytes = self.matrix.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        out = np.empty((len(inputs), len(self.matrix.scales)), np.float32)
        source = np.ascontiguousarray(inputs.float().numpy())
        matrix = self.matrix
        run_together(run_product, matrix.form, source, matrix.address, new_counters(1), out)
        product = torch.from_numpy(out[:, : self.outputs])
        return (product if self.bias is None else product + self.bias).to(inputs.dtype)


def make_run_product(sources: str) -> Callable[[int, Floats, int, Longs, Floats], None]:
    """The entry; sources: see `sources_digest`."""

    @entry
    def run_product(form: int, source: Floats, packed: int, counters: Longs, out: Floats) -> None:
        if sources:
            share_product(form, source, packed, counters, out)

    return run_product


@compiled
def share_product(form: int, source: Floats, packed: int, counters: Longs, out: Floats) -> None:
    """Take part in a product, by blocks of outputs."""
    blocks = out.shape[1] // BLOCK
    tile = np.empty((len(source), BLOCK), np.float32)
    size = block_bytes(form, source.shape[1])
    block = take(counters, 0)
    while block < blocks:
        following = take(counters, 0)
        after = following if following < blocks else block
        tile[:] = 0
        multiply_block(form, source, (packed + block * size, packed + after * size), tile)
        out[:, block * BLOCK : (block + 1) * BLOCK] = tile
        block = following


run_product = make_run_product(sources_digest())
