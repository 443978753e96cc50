"""The engine on a simulated CUDA device: fake tensors have devices and shapes, but no values.

A tensor on the wrong device raises the same error as on a real device. Values that the CPU reads from the
device are replaced by a valid token.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.kernels.acceleration import accelerate, kernel_for, plain_kernel_for
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.attention import SdpaAttention
from services.worker.engine.model.transformer import Transformer
from services.worker.engine.request import Status
from services.worker.engine.sampling import noise
from shared.tasks import Task
from tests.support.models.drawing_requests import request_for
from tests.support.models.variations import Models

pytestmark = pytest.mark.slow

CUDA = torch.device("cuda")
SIZE = PictureSize(32, 32)


@pytest.fixture(autouse=True)
def no_values(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Prevent fake tensors of one element from computing their value on the missing device.

    The noise table is cached for each device; the fake one is removed after the test.
    """
    monkeypatch.setattr(fake_tensor, "CONSTANT_NUMEL_LIMIT", 0)
    yield
    noise.__dict__["_table"].cache_clear()
    noise.hashed_tokens.cache_clear()


class HostReads(TorchFunctionMode):
    """Replaces reads of a fake tensor's values by the CPU, and counts them."""

    def __init__(self, token: int) -> None:
        super().__init__()
        self.token = token
        self.count = 0

    def __torch_function__(
        self,
        func: Any,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in {Tensor.item, Tensor.__bool__, Tensor.nonzero}:
            self.count += 1
        match func:
            case Tensor.item:
                return self.token
            case Tensor.__bool__:
                return True
            case Tensor.nonzero:
                return torch.arange(len(args[0]), device=args[0].device).unsqueeze(-1)
            case Tensor.__getitem__:
                return indexed(*args)
            case Tensor.__setitem__ if isinstance(args[1], Tensor):
                tensor, where, value = args
                return tensor.index_put_((where,), value)
            case _:
                return func(*args, **(kwargs or {}))


def indexed(tensor: Tensor, index: Any) -> Tensor:
    """tensor[index] in single operations, because builds without CUDA do not index CUDA tensors."""
    axis = 0
    for part in index if isinstance(index, tuple) else (index,):
        match part:
            case None:
                tensor = tensor.unsqueeze(axis)
                axis += 1
            case int():
                tensor = tensor.select(axis, part)
            case slice():
                tensor = torch.ops.aten.slice(tensor, axis, part.start, part.stop, part.step or 1)
                axis += 1
            case Tensor() | list():
                where = torch.as_tensor(part, device=tensor.device)
                tensor = torch.ops.aten.index(tensor, [*[None] * axis, where])
                axis += 1
            case _:
                axis = tensor.dim() - (len(index) - 1 - index.index(...))
    return tensor


@contextmanager
def fake_cuda(loaded: LoadedModel, precision: Precision) -> Iterator[tuple[LoadedModel, HostReads]]:
    """The model's shapes on a fake CUDA device, within this context."""
    with torch.device("meta"):
        model = Transformer(loaded.config).eval()
    with FakeTensorMode(), HostReads(loaded.image_ids.start) as reads:
        for name, parameter in list(model.named_parameters()):
            owner, _, attribute = name.rpartition(".")
            weight = torch.empty(parameter.shape, dtype=precision.dtype, device=CUDA)
            setattr(model.get_submodule(owner), attribute, nn.Parameter(weight, requires_grad=False))
        make = kernel_for(precision, CUDA, vnni=False)
        accelerate(model, make, plain_kernel_for(precision, CUDA), loaded.image_ids)
        yield replace(loaded, model=model, device=CUDA, precision=precision), reads


def draw_all_tasks(loaded: LoadedModel) -> list[Status]:
    """Draw one small picture of every task at the same time, some guided, some with drafts."""
    engine = Engine(loaded, EngineOptions(kv_cache_tokens=32_768, window=3))
    handles = [
        engine.submit(
            request_for(
                loaded,
                task,
                size=SIZE,
                speculative=index % 2 == 0,
                guidance_scale=1.0 if index % 3 == 0 else 4.0,
                top_k=64,
            )
        )
        for index, task in enumerate(Task)
    ]
    engine.run_until_idle()
    for handle in handles:
        handle.raise_failure()
    return [handle.status for handle in handles]


@pytest.mark.parametrize(
    ("variation", "dtype"),
    [("plain", "fp32"), pytest.param("plain", "bf16", marks=pytest.mark.long), ("everything", "fp16")],
)
def test_a_picture_of_every_task_is_drawn_on_the_device(models: Models, variation: str, dtype: str):
    with fake_cuda(models(variation=variation), Precision.parse(dtype)) as (loaded, reads):
        assert set(draw_all_tasks(loaded)) == {Status.FINISHED}
        assert reads.count > 0


def test_a_tensor_left_on_the_host_is_found(models: Models, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SdpaAttention, "slots", property(lambda self: torch.arange(self.real_rows)))
    with (
        fake_cuda(models(), Precision.parse("bf16")) as (loaded, _),
        pytest.raises(RuntimeError, match="device"),
    ):
        draw_all_tasks(loaded)


def flash_attn_varlen_func(  # noqa: PLR0917 (the library's own signature)
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    *,
    causal: bool,
    block_table: Tensor,
) -> Tensor:
    """Check the arguments as the library's kernel requires them (flash_attn/flash_attn_interface.py)."""
    assert causal
    assert {tensor.device.type for tensor in (q, k, v, cu_seqlens_q, cu_seqlens_k, block_table)} == {"cuda"}
    assert cu_seqlens_q.dtype == cu_seqlens_k.dtype == block_table.dtype == torch.int32
    rows, heads, head_dim = q.shape
    pages, page, kv_heads, key_dim = k.shape
    assert v.shape == k.shape
    assert q.dtype == k.dtype == v.dtype
    assert (head_dim, page % 256, heads % kv_heads, k.stride(-1)) == (key_dim, 0, 0, 1)
    streams, most = block_table.shape
    assert cu_seqlens_q.shape == cu_seqlens_k.shape == (streams + 1,)
    assert max_seqlen_k <= most * page <= pages * page
    assert max_seqlen_q <= rows
    return torch.empty_like(q)


@pytest.mark.parametrize("variation", ["plain", "grouped queries"])
def test_flash_attention_gets_what_its_kernel_asks_for(
    models: Models, monkeypatch: pytest.MonkeyPatch, variation: str
):
    library = ModuleType("flash_attn")
    library.__spec__ = ModuleSpec("flash_attn", None)
    calls: list[int] = []

    def kernel(*args: Any, **kwargs: Any) -> Tensor:
        calls.append(1)
        return flash_attn_varlen_func(*args, **kwargs)

    library.__dict__["flash_attn_varlen_func"] = kernel
    monkeypatch.setitem(sys.modules, "flash_attn", library)
    with fake_cuda(models(variation=variation), Precision.parse("bf16")) as (loaded, _):
        assert set(draw_all_tasks(loaded)) == {Status.FINISHED}
    assert calls
