"""Loading needs the memory of the loaded model and of one file: layers are converted while weights stream."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.loading import MIB, LoadingCost, loading_cost
from benchmarks.random_model import SMALL, write_benchmark_model, write_full_model
from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, load_movqgan, save_movqgan
from services.tokenizer.movqgan.errors import CheckpointError as TokenizerCheckpointError
from services.worker.engine.errors import CheckpointError
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.checkpoint import WEIGHTS_FILE
from services.worker.engine.loading.load import load_model
from tests.support.models.checkpoint_files import write_checkpoint

pytestmark = pytest.mark.slow

PRECISIONS = ("fp32", "bf16", "bf16+int8", "bf16+nf4")
SHARD_BYTES = 60_000_000
ALLOWANCE = 96 * MIB
"""Allowance for compiled code, threads and conversion buffers; the model has 240 MB in bf16."""
MIDDLE = {"num_hidden_layers": 8, "torch_dtype": "bfloat16"}
IMAGE_TOKENIZER = MoVQGANConfig(
    ch=32,
    ch_mult=(1, 1, 1, 1),
    num_res_blocks=1,
    attn_resolutions=(),
    n_embed=4096,
    embed_dim=4,
    z_channels=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 120 million parameters in bf16, in several files."""
    folder = tmp_path_factory.mktemp("middle")
    write_full_model(folder, changes=MIDDLE, image_tokenizer=IMAGE_TOKENIZER, shard_bytes=SHARD_BYTES)
    assert len(list(folder.glob("*.safetensors"))) >= 4
    return folder


@pytest.mark.parametrize(
    "precision",
    ["bf16+int8", *(pytest.param(name, marks=pytest.mark.long) for name in ("fp32", "bf16", "bf16+nf4"))],
)
def test_the_peak_is_the_loaded_model_and_one_file(folder: Path, precision: str) -> None:
    """Regression: loading 2.3 billion parameters in int8 needed 5.3 GiB more than the model, not one file.

    The first load is not measured, because it also compiles.
    """
    loading_cost(folder, precision)
    cost: LoadingCost = loading_cost(folder, precision)
    print(cost)
    assert cost.surplus <= SHARD_BYTES + ALLOWANCE
    assert cost.kept <= 16 * MIB


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_nan_and_infinite_weights_are_named_while_loading(
    tmp_path: Path, precision: str, value: float
) -> None:
    write_checkpoint(tmp_path)
    name = "model.layers.1.mlp.up_proj.weight"
    weights = load_file(tmp_path / WEIGHTS_FILE)
    weights[name][3, 4] = value
    save_file(weights, tmp_path / WEIGHTS_FILE)
    with pytest.raises(
        CheckpointError, match=rf"model\.safetensors: {name} contains NaN, or numbers too large"
    ):
        load_model(tmp_path, Precision.from_name(precision))


def test_a_weight_that_the_precision_cannot_hold_is_named(tmp_path: Path) -> None:
    write_benchmark_model(tmp_path, changes=SMALL)
    weights = load_file(tmp_path / WEIGHTS_FILE)
    weights["model.norm.weight"][0] = 1e6
    save_file(weights, tmp_path / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight contains NaN, or .* torch\.float16"):
        load_model(tmp_path, Precision.from_name("fp16"))


def test_nan_weights_of_the_image_tokenizer_are_named(tmp_path: Path) -> None:
    model = MoVQGAN(IMAGE_TOKENIZER)
    with torch.no_grad():
        model.quantize.embedding.weight[5, 1] = torch.nan
    save_movqgan(model, tmp_path)
    with pytest.raises(TokenizerCheckpointError, match=r"quantize\.embedding\.weight contains NaN"):
        load_movqgan(tmp_path)
