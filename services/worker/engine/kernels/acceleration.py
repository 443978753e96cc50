"""Replace the linear layers of a transformer by kernels while its weights are loaded.

Layers are converted one by one and their original weights are freed at once, so peak memory stays near the
final size.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from services.worker.engine.kernels.linear import (
    FixedTileKernel,
    Int8DigitKernel,
    Int8WeightKernel,
    LinearKernel,
    PackedKernel,
)
from services.worker.engine.kernels.precision import Precision, Quantization
from services.worker.engine.model.transformer import HeadNorms, Projections, Transformer

MakeKernel = Callable[[Tensor, Tensor | None], LinearKernel]


class KernelLinear(nn.Module):
    """A linear layer that a kernel computes."""

    def __init__(self, kernel: LinearKernel) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, inputs: Tensor) -> Tensor:
        return self.kernel(inputs)


def kernel_for(precision: Precision, device: torch.device, *, vnni: bool) -> MakeKernel:
    """Choose the kernel of the projections for a precision and a device.

    vnni: whether byte products on this CPU are exact (`self_check.byte_products_are_exact`).
    """
    match precision.quantization:
        case Quantization.INT8:
            if device.type != "cpu":
                from services.worker.engine.kernels.bitsandbytes import BnbInt8Kernel

                return BnbInt8Kernel
            return Int8DigitKernel if vnni else Int8WeightKernel
        case Quantization.NF4:
            from services.worker.engine.kernels.bitsandbytes import Nf4Kernel

            return Nf4Kernel
        case Quantization.NONE:
            return plain_kernel_for(precision, device)


def plain_kernel_for(precision: Precision, device: torch.device) -> MakeKernel:
    """Choose the kernel for weights that are not quantised."""
    if device.type == "cpu" and PackedKernel.supports(precision.dtype):
        return PackedKernel
    return FixedTileKernel


def accelerate(model: Transformer, make_kernel: MakeKernel, make_head: MakeKernel, image_ids: range) -> None:
    """Replace every projection of `model` in place and add its heads; see `accelerate_heads`."""
    for layer in model.layers:
        accelerate_layer(layer, make_kernel)
    accelerate_heads(model, make_head, image_ids)


@torch.no_grad()
def accelerate_layer(layer: nn.Module, make_kernel: MakeKernel) -> None:
    """Replace every projection of a decoder layer in place."""
    _accelerate_children(layer, make_kernel)


@torch.no_grad()
def accelerate_heads(model: Transformer, make_head: MakeKernel, image_ids: range) -> None:
    """Replace the output matrix by a kernel, and add `image_head`, a kernel of its image-code rows only.

    Drawn tokens are image codes, so only their logits are computed: a tenth of the output matrix in the
    public checkpoint. The whole head is kept for parity checks and for headers drawn as the reference does.
    Call it after the layers have been replaced.
    """
    weight = model.get_parameter("lm_head.weight").detach()
    model.image_head = KernelLinear(make_head(weight[image_ids.start : image_ids.stop], None))
    model.lm_head = KernelLinear(FixedTileKernel(weight, None))
    model.fewest_rows = max(
        module.kernel.fewest_rows for module in model.layers.modules() if isinstance(module, KernelLinear)
    )


def _accelerate_children(parent: nn.Module, make_kernel: MakeKernel) -> None:
    for name, child in parent.named_children():
        match child:
            case Projections():
                setattr(parent, name, _fuse(child, make_kernel))
            case HeadNorms():
                child.freeze()
            case nn.Linear():
                setattr(parent, name, KernelLinear(make_kernel(child.weight.detach(), _bias(child))))
            case _:
                _accelerate_children(child, make_kernel)


def _fuse(projections: Projections, make_kernel: MakeKernel) -> KernelLinear:
    parts = projections.parts()
    weight = torch.cat([part.weight.detach() for part in parts])
    biases = [bias for part in parts if (bias := _bias(part)) is not None]
    return KernelLinear(make_kernel(weight, torch.cat(biases) if biases else None))


def _bias(linear: nn.Linear) -> Tensor | None:
    bias = dict(linear.named_parameters()).get("bias")
    return None if bias is None else bias.detach()
