"""Check on this machine, with the shapes of the loaded model, that all kernels are batch-invariant.

A row of a product must have the same bits in every call that `row_shapes` allows, and a query of attention in
every pass. The capability report names the kernels that fail.
"""

import time
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

from services.worker.engine.kernels.acceleration import KernelLinear
from services.worker.engine.kernels.attention_check import variant_attention
from services.worker.engine.kernels.linear import Int8DigitKernel, LinearKernel
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.model.transformer import Transformer
from services.worker.engine.row_shapes import ROW_COUNTS


@dataclass(frozen=True)
class CapabilityReport:
    """Results of the self-check on this machine.

    variant_kernels: kernels that are not batch-invariant, with the shapes or positions that showed it.
    weight_bytes: bytes of weights by part of the model. pass_seconds: seconds that all matrix products of a
    forward pass take, by its number of rows.
    """

    precision: str
    device: str
    kernels: tuple[str, ...]
    variant_kernels: tuple[str, ...] = ()
    weight_bytes: dict[str, int] = field(default_factory=dict[str, int])
    pass_seconds: dict[int, float] = field(default_factory=dict[int, float])

    @property
    def batch_invariant(self) -> bool:
        """Whether equal prefixes give equal logits, bit for bit, in any batch, window or resume."""
        return not self.variant_kernels


def check_kernels(model: Transformer, precision: Precision, device: torch.device) -> CapabilityReport:
    """Check attention, and every distinct kernel shape of the model, with all allowed numbers of rows."""
    tried: dict[tuple[str, int, int], Trial] = {}
    weight_bytes: dict[str, int] = {}
    pass_seconds = dict.fromkeys(ROW_COUNTS, 0.0)
    for name, module in model.named_modules():
        if not isinstance(module, KernelLinear):
            continue
        kernel = module.kernel
        part = _PARTS.get(name, "projections")
        weight_bytes[part] = weight_bytes.get(part, 0) + kernel.weight_bytes
        shape = (type(kernel).__name__, kernel.inputs, kernel.outputs)
        if shape not in tried:
            tried[shape] = try_kernel(kernel, precision.dtype, device)
        if part != "whole head":
            for rows in ROW_COUNTS:
                pass_seconds[rows] += tried[shape].seconds[rows]
    weight_bytes["embeddings and norms"] = sum(parameter.nbytes for parameter in model.parameters())
    return CapabilityReport(
        precision=precision.name,
        device=str(device),
        kernels=tuple(sorted({name for name, _, _ in tried})),
        variant_kernels=(
            *(
                f"{name} {inputs} -> {outputs}"
                for (name, inputs, outputs), trial in tried.items()
                if not trial.invariant
            ),
            *variant_attention(model.config, precision.dtype, device),
        ),
        weight_bytes=weight_bytes,
        pass_seconds=pass_seconds,
    )


_PARTS = {"image_head": "image head", "lm_head": "whole head"}


@dataclass(frozen=True)
class Trial:
    """Result for one kernel shape. invariant: it is batch-invariant. seconds: by number of rows."""

    invariant: bool
    seconds: dict[int, float]


@torch.inference_mode()
def try_kernel(kernel: LinearKernel, dtype: torch.dtype, device: torch.device) -> Trial:
    """Run probe rows with every allowed number of rows, as the first and as the last ones of a call."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(ROW_COUNTS[-1], kernel.inputs, generator=generator).to(device=device, dtype=dtype)
    probes = ROW_COUNTS[0]
    reference = kernel(rows[:probes])
    seconds: dict[int, float] = {}
    invariant = True
    for count in ROW_COUNTS:
        head = kernel(rows[:count])[:probes]
        started = time.perf_counter()
        tail = kernel(rows[:count].roll(count - probes, 0))[count - probes :]
        invariant &= torch.equal(head, reference) and torch.equal(tail, reference)
        seconds[count] = time.perf_counter() - started
    return Trial(invariant, seconds)


@cache
def byte_products_are_exact() -> bool:
    """Whether this CPU multiplies unsigned by signed bytes without saturation, as VNNI does."""
    probe: Tensor = torch.full((16, 64), 127.0)
    try:
        kernel = Int8DigitKernel(probe, None)
        product = kernel(torch.full((4, 64), 1.0))
    except (RuntimeError, NotImplementedError, AttributeError):
        return False
    return bool(torch.allclose(product, torch.full((4, 16), 127.0 * 64), rtol=1e-4))
