"""Several processes that train one model: what torchrun started, and tensors that are spread over them.

A process that torchrun did not start is a group of one; everything here is then the identity.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from services.worker.engine.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among those that train together. device: its own."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all processes, on each of them."""
        if self.count > 1:
            dist.all_reduce(value)
        return value

    def first_says(self, answer: bool) -> bool:
        """The first process's answer to a question, on all of them."""
        return bool(self.sum(torch.tensor(int(answer and self.is_first), device=self.device)).item())

    def shard(self, model: Transformer, *, bf16: bool) -> None:
        """Spread the float32 weights over the processes; layers are gathered one by one to compute.

        bf16: gather and compute in bfloat16. Gradients are averaged in float32.
        """
        mesh = init_device_mesh(self.device.type, (self.count,))
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if bf16 else MixedPrecisionPolicy()
        for layer in model.layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        if not model.config.tie_word_embeddings:
            # it runs after the forward pass of the whole model, so it is gathered by itself
            fully_shard(model.lm_head, mesh=mesh, mp_policy=policy)
        fully_shard(model, mesh=mesh, mp_policy=policy)


def is_first_process() -> bool:
    """Whether this is the first process that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def join_workers(device: torch.device) -> Generator[Workers]:
    """Join the processes that torchrun started, one GPU each or all on the CPU."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Workers(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Workers(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()


def gathered(value: Any) -> Any:
    """A state with every spread tensor whole and on the CPU; all processes have to take part."""
    match value:
        case dict():
            return {key: gathered(part) for key, part in cast("dict[Any, Any]", value).items()}
        case list():
            return [gathered(part) for part in cast("list[Any]", value)]
        case Tensor():
            return whole(value).detach().cpu()
        case _:
            return value


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor that may be spread over processes."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def spread_like(tensor: Tensor, example: Tensor) -> Tensor:
    """A whole tensor in the form, dtype and place of another of its shape."""
    tensor = tensor.to(example.device, example.dtype)
    if not isinstance(example, DTensor):
        return tensor
    return distribute_tensor(tensor, example.device_mesh, example.placements, src_data_rank=None)
