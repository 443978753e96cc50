"""The numerics identity covers everything that decides the bits of a picture; no clock changes it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from services.worker.engine.engine import Engine
from services.worker.engine.kernels.linear import Int8DigitKernel, Int8WeightKernel, PackedKernel
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import load_model
from services.worker.engine.loading.numerics import NumericsIdentity, device_class
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.flash_attention import make_attention
from services.worker.engine.model.kv_cache import CacheRun, KVCache, Segment, run_length
from services.worker.engine.model.transformer import silu
from services.worker.engine.row_shapes import ROW_COUNTS
from tests.support.models.checkpoint_files import golden_document, write_checkpoint
from tests.support.random_clocks import ROUNDS, load_as_asked
from tests.support.source_tree import ROOT

THREADS = (1, 2, 3, 8)
CPU = torch.device("cpu")


@pytest.fixture
def restored_threads() -> Iterator[None]:
    """Restore PyTorch's number of threads after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder."""
    folder = tmp_path_factory.mktemp("model")
    write_checkpoint(folder)
    return folder


def test_no_clock_changes_the_identity(folder: Path):
    """Regression: a busy machine measured that bf16 was slow, and chose fp32."""
    command = [sys.executable, "-m", "tests.support.random_clocks", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(load_as_asked(folder).numerics)] * ROUNDS


def test_every_part_changes_the_name():
    one = NumericsIdentity("w", "fp32", "PackedKernel", "cpu x86_64 amx", None, None, 1, "a")
    others = [
        replace(one, weights="v"),
        replace(one, precision="bf16"),
        replace(one, kernels="FusedDecoder/amx"),
        replace(one, device="cuda 9.0"),
        replace(one, threads=2),
        replace(one, adapter="x"),
        replace(one, noise=2),
        replace(one, arithmetic="b"),
        one.with_image_tokenizer("movqgan-1"),
    ]
    assert len({each.id for each in (one, *others)}) == len(others) + 1
    assert one.id in str(one)
    assert "threads" not in one.as_dict()


def test_weights_and_precision_change_the_identity(folder: Path, tmp_path: Path):
    write_checkpoint(tmp_path, seed=1)
    first = load_model(folder).numerics
    assert load_model(folder).numerics == first
    other_weights = load_model(tmp_path).numerics
    assert other_weights.weights != first.weights
    assert other_weights.arithmetic != first.arithmetic
    other_precision = load_model(folder, Precision.parse("bf16")).numerics
    assert other_precision.precision == "bf16"
    assert other_precision.arithmetic != first.arithmetic


@pytest.mark.parametrize("precision", ["fp32", "fp32+int8"])
def test_threads_do_not_change_the_identity_where_they_leave_the_bits_alone(
    folder: Path, precision: str, restored_threads: None
):
    identities: set[NumericsIdentity] = set()
    for threads in THREADS:
        torch.set_num_threads(threads)
        identities.add(load_model(folder, Precision.from_name(precision)).numerics)
    assert len(identities) == 1
    assert identities.pop().threads is None


def test_threads_are_part_of_the_identity_where_they_change_bits(folder: Path, restored_threads: None):
    """oneDNN gives other bf16 bits with 4 threads than with 2, so the identities must differ."""
    identities: dict[int, NumericsIdentity] = {}
    for threads in (2, 4):
        torch.set_num_threads(threads)
        identities[threads] = load_model(folder, Precision.parse("bf16")).numerics
    assert identities[2].threads == 2
    assert identities[2].id != identities[4].id


@pytest.mark.parametrize(("inputs", "outputs"), [(192, 576), (512, 192), (1024, 1024), (2048, 640)])
@pytest.mark.parametrize("kernel", [PackedKernel, Int8DigitKernel, Int8WeightKernel])
def test_products_have_the_same_bits_with_any_number_of_threads(
    kernel: Callable[[Tensor, None], Callable[[Tensor], Tensor]],
    inputs: int,
    outputs: int,
    restored_threads: None,
):
    generator = torch.Generator().manual_seed(0)
    multiply = kernel(torch.randn(outputs, inputs, generator=generator), None)
    for count in (2, 32, 256):
        rows = torch.randn(count, inputs, generator=generator)
        found = [with_threads(threads, lambda rows=rows: multiply(rows)) for threads in THREADS]
        assert all(torch.equal(each, found[0]) for each in found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_has_the_same_bits_with_any_number_of_threads(dtype: torch.dtype, restored_threads: None):
    generator = torch.Generator().manual_seed(0)
    config = replace(
        ModelConfig.from_dict(golden_document()), num_hidden_layers=1, num_key_value_heads=2, hidden_size=256
    )
    cache = KVCache(config, run_length(1024), dtype=dtype, device=CPU)
    cache.keys.normal_(generator=generator)
    cache.values.normal_(generator=generator)
    segments = [Segment(0, 32, 900, CacheRun(0, run_length(1024)))]
    queries, keys, values = (
        torch.randn(32, heads, config.head_dim, generator=generator).to(dtype) for heads in (4, 2, 2)
    )

    def attend() -> Tensor:
        return make_attention(cache, segments, 32)(0, queries, keys, values)

    found = [with_threads(threads, attend) for threads in THREADS]
    assert all(torch.equal(each, found[0]) for each in found)


@pytest.mark.parametrize("inner", [704, 1000, 2816])
def test_gates_have_the_same_bits_with_any_number_of_threads_and_rows(inner: int, restored_threads: None):
    """Regression: with 3 threads, 4 of [256, 704] gates had other bits than in [2, 704]."""
    gates = torch.randn(256, inner, generator=torch.Generator().manual_seed(0))
    reference = with_threads(1, lambda: silu(gates))
    torch.testing.assert_close(reference, torch.nn.functional.silu(gates))
    for threads in (1, 2, 3, 4, 5, 7):
        for count in ROW_COUNTS:
            found = with_threads(threads, lambda count=count: silu(gates[:count]))
            assert torch.equal(found, reference[:count]), (threads, count)


def with_threads(threads: int, work: Callable[[], Tensor]) -> Tensor:
    """The result of `work` with this number of threads."""
    torch.set_num_threads(threads)
    with torch.inference_mode():
        return work()


@pytest.mark.parametrize(
    ("features", "named"),
    [
        ({"avx2": True}, "avx2"),
        ({"avx2": True, "avx512_f": True, "avx512_bw": True}, "avx512"),
        ({"avx2": True, "avx512_f": True, "avx512_bw": True, "avx512_bf16": True}, "avx512_bf16"),
        ({}, "baseline"),
    ],
)
def test_cpu_classes_follow_the_cpu_features(
    features: dict[str, bool], named: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert device_class(CPU).endswith(f" {named}")


def test_timing_chooses_no_rows_if_kernels_are_not_batch_invariant(folder: Path):
    """Kernels that are not batch-invariant give other bits in wider passes: timing must not choose rows."""
    loaded = load_model(folder)
    varying = replace(loaded, capabilities=replace(loaded.capabilities, variant_kernels=("PackedKernel",)))
    assert Engine(loaded).scheduler.window is None
    scheduler = Engine(varying).scheduler
    assert (scheduler.window, scheduler.pace) == (0, None)
