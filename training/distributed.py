"""Training with several processes: the group that torchrun started, and tensors that are sharded over it.

A process that torchrun did not start is a group of one, and the functions here leave its tensors as they are.
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

from services.worker.engine.model.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Workers:
    """This process and the group that it trains with. device: the device of this process."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place; every process gets the sum."""
        if self.count > 1:
            dist.all_reduce(value)
        return value

    def first_says(self, answer: bool) -> bool:
        """Send the first process's answer to all processes."""
        return bool(self.sum(torch.tensor(int(answer and self.is_first), device=self.device)).item())

    def shard(self, model: Transformer, *, bf16: bool) -> None:
        """Shard the float32 weights over the processes; a layer is gathered while it computes.

        bf16: gather and compute in bfloat16. Gradients are averaged in float32.
        """
        mesh = init_device_mesh(self.device.type, (self.count,))
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if bf16 else MixedPrecisionPolicy()
        for layer in model.layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        if not model.config.tie_word_embeddings:
            # the head is called outside the model's forward pass, so it needs a shard group of its own
            fully_shard(model.lm_head, mesh=mesh, mp_policy=policy)
        fully_shard(model, mesh=mesh, mp_policy=policy)


def is_first_process() -> bool:
    """Whether this is the first process that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def join_workers(device: torch.device) -> Generator[Workers]:
    """Join the group that torchrun started; each process has one GPU, or all use the CPU."""
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
        # a process that leaves while another is in its last exchange makes that one abort
        dist.barrier()
    finally:
        dist.destroy_process_group()


def gathered(value: Any) -> Any:
    """A copy of a state with every sharded tensor whole and on the CPU; all processes must call this."""
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
    """The full tensor; it is gathered if it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def spread_like(tensor: Tensor, example: Tensor) -> Tensor:
    """A full tensor with the device, dtype and sharding of `example`, which has the same shape."""
    tensor = tensor.to(example.device, example.dtype)
    if not isinstance(example, DTensor):
        return tensor
    return distribute_tensor(tensor, example.device_mesh, example.placements, src_data_rank=None)
