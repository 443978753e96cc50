"""One product by the tiles of the fused decoder, for the output head."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from services.worker.engine.fused.arrays import Floats, Longs
from services.worker.engine.fused.compiling import compiled, entry, sources_digest
from services.worker.engine.fused.machine_code import BLOCK
from services.worker.engine.fused.packing import pack
from services.worker.engine.fused.phases import new_counters, take
from services.worker.engine.fused.products import multiply_floats
from services.worker.engine.fused.threads import run_together


class TileKernel:
    """A `LinearKernel` of float32 weights whose rows have the same bits in any company."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.matrix = pack(weight.float(), quantized=False)
        self.bias = bias
        self.inputs, self.outputs = self.matrix.inputs, self.matrix.outputs
        self.weight_bytes = self.matrix.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        out = np.empty((len(inputs), len(self.matrix.scales)), np.float32)
        source = np.ascontiguousarray(inputs.float().numpy())
        run_together(run_product, source, self.matrix.address, new_counters(1), out)
        product = torch.from_numpy(out[:, : self.outputs])
        return (product if self.bias is None else product + self.bias).to(inputs.dtype)


def make_run_product(sources: str) -> Callable[[Floats, int, Longs, Floats], None]:
    """The entry; sources: see `sources_digest`."""

    @entry
    def run_product(source: Floats, packed: int, counters: Longs, out: Floats) -> None:
        if sources:
            share_product(source, packed, counters, out)

    return run_product


@compiled
def share_product(source: Floats, packed: int, counters: Longs, out: Floats) -> None:
    """Take part in a product, by blocks of outputs."""
    blocks = out.shape[1] // BLOCK
    tile = np.empty((len(source), BLOCK), np.float32)
    block = take(counters, 0)
    while block < blocks:
        tile[:] = 0
        multiply_floats(source, packed, block, tile)
        out[:, block * BLOCK : (block + 1) * BLOCK] = tile
        block = take(counters, 0)


run_product = make_run_product(sources_digest())
