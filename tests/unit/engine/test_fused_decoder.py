"""The fused decoder: its results compared with PyTorch, its threads, and models that it refuses."""

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import current_thread

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.parity.streams import CachedStream
from services.worker.engine.errors import PrecisionError
from services.worker.engine.fused.codegen.arrays import BYTES, FLOATS, HALVES, MATRIX_BYTES, MATRIX_HALVES
from services.worker.engine.fused.codegen.features import MATRIX_UNITS
from services.worker.engine.fused.run.packing import interleave, pack
from services.worker.engine.fused.run.rows import exponential
from services.worker.engine.fused.run.threads import run_together
from services.worker.engine.fused.run.tile_kernel import TileKernel
from services.worker.engine.fused.support import runs_fused
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import LoadedModel, load_model
from tests.support.models.checkpoint_files import write_checkpoint
from tests.support.models.variations import FUSED, VARIATIONS, VECTORS, Models

CPU = torch.device("cpu")
LENGTH = 300


@pytest.fixture
def four_threads() -> Iterator[None]:
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(1)


def states(loaded: LoadedModel) -> Tensor:
    """Final hidden states of a stream of random tokens."""
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, 656, (LENGTH,), generator=generator).tolist()
    return CachedStream(loaded, LENGTH).feed(tokens)


@pytest.mark.parametrize("variation", VARIATIONS)
def test_hidden_states_equal_those_of_the_layers(models: Models, variation: str):
    fused, layered = (states(models(name, variation)) for name in ("fused fp32", "fp32"))
    torch.testing.assert_close(fused, layered, atol=1e-4, rtol=0)


@pytest.mark.parametrize("units", ["", VECTORS])
@pytest.mark.parametrize("precision", ["fp32+int8", "bf16", "bf16+int8"])
@pytest.mark.parametrize("variation", ["plain", "wide heads", "everything"])
def test_the_fused_decoder_is_as_accurate_as_the_layers(
    models: Models, precision: str, variation: str, units: str
):
    exact = states(models("fp32", variation))
    fused, layered = (
        (states(models(name, variation)).float() - exact).abs().mean()
        for name in (FUSED + units + precision, precision)
    )
    assert 0 < fused < 1.05 * layered


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("precision", ["fused fp32", "fused bf16", "fused fp32+int8", "fused vectors bf16"])
def test_the_number_of_threads_changes_no_bit(models: Models, precision: str):
    loaded = models(precision)
    many = [states(loaded) for _ in range(5)]
    torch.set_num_threads(1)
    alone = states(loaded)
    assert all(torch.equal(each, alone) for each in many)


def repeat(work: Callable[[str], None], failing: str) -> None:
    """Run `work` so often that every thread gets a call; a fast helper may take two of one round."""
    for _ in range(1000):
        run_together(work, failing)


def test_an_error_in_any_thread_reaches_the_caller_and_the_threads_live_on():
    torch.set_num_threads(3)
    arrived: SimpleQueue[str] = SimpleQueue()

    def work(failing: str) -> None:
        arrived.put(current_thread().name)
        if current_thread().name == failing:
            raise MemoryError(failing)

    try:
        for failing in ("pass_1", "pass_0", current_thread().name):
            with pytest.raises(MemoryError):
                repeat(work, failing)
        before = arrived.qsize()
        run_together(work, "nobody")
    finally:
        torch.set_num_threads(1)
    assert arrived.qsize() - before == 3


@pytest.mark.parametrize(("outputs", "inputs"), [(32, 8), (33, 129), (100, 300), (1, 1)])
def test_products_of_any_size_are_correct(outputs: int, inputs: int):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(outputs, inputs, generator=generator)
    bias = torch.randn(outputs, generator=generator)
    rows = torch.randn(15, inputs, generator=generator)
    kernel = TileKernel(weight, bias)
    torch.testing.assert_close(kernel(rows), rows @ weight.T + bias, atol=1e-4, rtol=1e-5)
    assert torch.equal(kernel(rows[7:8]), kernel(rows)[7:8])


@pytest.mark.parametrize("matrix_units", sorted({False, MATRIX_UNITS}))
@pytest.mark.parametrize(("outputs", "inputs", "count"), [(33, 129, 15), (100, 300, 40), (1, 1, 1)])
def test_a_product_of_bfloat16_is_summed_in_float32(
    outputs: int, inputs: int, count: int, matrix_units: bool
):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(outputs, inputs, generator=generator).bfloat16()
    rows = torch.randn(count, inputs, generator=generator).bfloat16()
    kernel = TileKernel(weight, None, matrix_units=matrix_units)
    exact = (rows.double() @ weight.double().T).bfloat16()
    torch.testing.assert_close(kernel(rows), exact, atol=1e-2, rtol=1e-2)
    assert torch.equal(kernel(rows[-1:]), kernel(rows)[-1:])


def test_packed_weights_keep_their_values():
    weight = torch.arange(40 * 6).float().view(40, 6)
    assert pack(weight, FLOATS).packed[1, 5, 7] == weight[39, 5]
    assert pack(weight, HALVES).packed[1, 5, 7] == 0x436F  # the upper half of 239.0
    packed = pack(weight, BYTES)
    assert packed.packed[1, 2, 7, 1] * packed.scales[39] == pytest.approx(weight[39, 5].item(), rel=0.01)
    assert packed.nbytes == 64 * 6 + 64 * 4


def test_weights_for_matrix_units_are_grouped_by_four_bytes():
    weight = torch.arange(40 * 70).float().view(40, 70)
    halves = pack(weight, MATRIX_HALVES).packed
    assert halves.shape == (2, 3, 2, 16, 16, 2)
    assert halves[1, 2, 0, 2, 7, 1] == weight[39, 69].bfloat16().view(torch.int16)
    digits = pack(weight, MATRIX_BYTES)
    assert digits.packed.shape == (2, 2, 2, 16, 16, 4)
    assert digits.packed[0, 1, 1, 1, 3, 1] * digits.scales[19] == pytest.approx(
        weight[19, 69].item(), rel=0.01
    )


def test_gates_and_values_alternate_by_half_blocks():
    both = interleave(torch.ones(20), 2 * torch.ones(20))
    assert both.tolist() == [1] * 16 + [2] * 16 + [1] * 4 + [0] * 12 + [2] * 4 + [0] * 12


def test_the_exponential_is_within_two_units_in_the_last_place():
    numbers = np.linspace(-80, 80, 5001, dtype=np.float32)
    ours = np.array([exponential.py_func(number) for number in numbers])
    exact = np.exp(numbers.astype(np.float64))
    assert np.abs(ours / exact - 1).max() < 2 * np.finfo(np.float32).eps


def test_a_model_that_cannot_run_fused_says_why(tmp_path: Path):
    write_checkpoint(tmp_path, seed=1)
    with pytest.raises(PrecisionError, match=r"fused decoder cannot run .*nf4"):
        load_model(tmp_path, Precision.parse("fp32", "nf4"), fused=True)


def test_small_models_are_not_fused(models: Models):
    config = models("fp32").config
    assert not runs_fused(config, Precision(), CPU, asked=None)
    assert models("fp32").model.whole_pass is None
