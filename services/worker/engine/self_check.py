"""Prove on this machine, for the loaded model's own shapes, what the engine promises of its kernels.

The promise: a row's result is the same bits in every call that `row_shapes` allows. What fails is named in
the capability report instead of promised.
"""

from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

from services.worker.engine.acceleration import FusedProjections, KernelLinear
from services.worker.engine.linear_kernels import Int8DigitKernel, LinearKernel
from services.worker.engine.precision import Precision
from services.worker.engine.row_shapes import ROW_COUNTS
from services.worker.engine.transformer import Transformer


@dataclass(frozen=True)
class CapabilityReport:
    """What holds here. variant_kernels: names of those whose rows depend on their company, with the shape."""

    precision: str
    device: str
    kernels: tuple[str, ...]
    variant_kernels: tuple[str, ...] = ()
    weight_bytes: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def batch_invariant(self) -> bool:
        """Whether equal prefixes give equal logits, bit for bit, in any batch, window or resume."""
        return not self.variant_kernels


def check_kernels(model: Transformer, precision: Precision, device: torch.device) -> CapabilityReport:
    """Try every distinct kernel shape of the model once, in all allowed numbers of rows."""
    tried: dict[tuple[str, int, int], bool] = {}
    weight_bytes: dict[str, int] = {}
    for name, module in model.named_modules():
        if not isinstance(module, KernelLinear | FusedProjections):
            continue
        kernel = module.kernel
        part = "image head" if name == "image_head" else "whole head" if name == "lm_head" else "projections"
        weight_bytes[part] = weight_bytes.get(part, 0) + kernel.weight_bytes
        shape = (type(kernel).__name__, kernel.inputs, kernel.outputs)
        if shape not in tried:
            tried[shape] = rows_keep_their_bits(kernel, precision.dtype, device)
    weight_bytes["embeddings and norms"] = sum(parameter.nbytes for parameter in model.parameters())
    return CapabilityReport(
        precision=precision.name,
        device=str(device),
        kernels=tuple(sorted({name for name, _, _ in tried})),
        variant_kernels=tuple(
            f"{name} {inputs} -> {outputs}" for (name, inputs, outputs), same in tried.items() if not same
        ),
        weight_bytes=weight_bytes,
    )


def rows_keep_their_bits(kernel: LinearKernel, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether eight probe rows give equal bits in every allowed call, first or last among other rows."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(ROW_COUNTS[-1], kernel.inputs, generator=generator).to(device=device, dtype=dtype)
    reference = kernel(rows[: ROW_COUNTS[0]])

    def same(count: int) -> bool:
        head = kernel(rows[:count])[: ROW_COUNTS[0]]
        tail = kernel(rows[:count].roll(count - ROW_COUNTS[0], 0))[count - ROW_COUNTS[0] :]
        return torch.equal(head, reference) and torch.equal(tail, reference)

    return all(same(count) for count in ROW_COUNTS)


@cache
def byte_products_are_exact() -> bool:
    """Whether this CPU multiplies unsigned by signed bytes without saturating (VNNI units do)."""
    probe: Tensor = torch.full((16, 64), 127.0)
    try:
        kernel = Int8DigitKernel(probe, None)
        product = kernel(torch.full((4, 64), 1.0))
    except (RuntimeError, NotImplementedError, AttributeError):
        return False
    return bool(torch.allclose(product, torch.full((4, 16), 127.0 * 64), rtol=1e-4))
