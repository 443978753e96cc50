"""Pack the layers of a transformer for the fused decoder, each as soon as its weights are loaded."""

import torch

from services.worker.engine.fused.run.decoder import FusedDecoder, PackedLayer, form_of
from services.worker.engine.fused.run.tile_kernel import TileKernel
from services.worker.engine.fused.self_check import try_passes
from services.worker.engine.kernels.acceleration import KernelLinear
from services.worker.engine.kernels.linear import FixedTileKernel
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.kernels.self_check import CapabilityReport, try_kernel
from services.worker.engine.model.transformer import DecoderLayer, Transformer


class LayerPacker:
    """Packs the layers of a model while they are loaded, in any order."""

    def __init__(self, precision: Precision) -> None:
        self._precision = precision
        self._form = form_of(precision)
        self._layers: dict[int, PackedLayer] = {}

    def take(self, index: int, layer: DecoderLayer) -> None:
        """Pack a layer and free its original weights."""
        self._layers[index] = PackedLayer(layer, self._form)

    def fuse(self, model: Transformer, image_ids: range) -> CapabilityReport:
        """Make `model` run on the packed layers, in place; returns the results of the self-check."""
        layers = [layer for _, layer in sorted(self._layers.items())]
        return _fuse(model, FusedDecoder(model, self._precision, layers), self._precision, image_ids)


def _fuse(
    model: Transformer, decoder: FusedDecoder, precision: Precision, image_ids: range
) -> CapabilityReport:
    device = torch.device("cpu")
    with torch.no_grad():
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
