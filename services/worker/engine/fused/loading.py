"""Hand a loaded transformer's layers over to the fused decoder."""

import torch

from services.worker.engine.acceleration import KernelLinear
from services.worker.engine.fused.decoder import FusedDecoder
from services.worker.engine.fused.self_check import try_passes
from services.worker.engine.fused.tile_kernel import TileKernel
from services.worker.engine.linear_kernels import FixedTileKernel
from services.worker.engine.precision import Precision
from services.worker.engine.self_check import CapabilityReport, try_kernel
from services.worker.engine.transformer import Transformer


def fuse(model: Transformer, precision: Precision, image_ids: range) -> CapabilityReport:
    """Change `model` in place; what was found true of it here."""
    device = torch.device("cpu")
    with torch.no_grad():
        decoder = FusedDecoder(model, precision)
        weight = model.get_parameter("lm_head.weight").detach()
        image_head = TileKernel(weight[image_ids.start : image_ids.stop], None)
        model.whole_pass = decoder
        model.image_head = KernelLinear(image_head)
        model.lm_head = KernelLinear(FixedTileKernel(weight, None))
    invariant, pass_seconds = try_passes(decoder, model.config)
    head = try_kernel(image_head, precision.dtype, device)
    trials = {"FusedDecoder": invariant, "TileKernel": head.invariant}
    return CapabilityReport(
        precision=precision.name,
        device=str(device),
        kernels=tuple(trials),
        variant_kernels=tuple(name for name, holds in trials.items() if not holds),
        weight_bytes={
            "projections": decoder.nbytes,
            "image head": image_head.weight_bytes,
            "whole head": weight.nbytes,
            "embeddings and norms": sum(parameter.nbytes for parameter in model.parameters()),
        },
        pass_seconds={rows: seconds + head.seconds[rows] for rows, seconds in pass_seconds.items()},
    )
