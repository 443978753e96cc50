"""A model folder of any size with random weights, as the benchmarks and the checks by hand use it."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks.random_model import SMALL, TWO_BILLION, main, write_full_model
from luminary.local.pipeline import LocalPipeline
from services.tokenizer.movqgan import MoVQGANConfig
from services.worker.engine.loading.checkpoint import expected_shapes
from services.worker.engine.model.config import ModelConfig

TOKENIZER = MoVQGANConfig(
    ch=32,
    ch_mult=(1, 1, 1, 1),
    num_res_blocks=1,
    attn_resolutions=(),
    n_embed=4096,
    embed_dim=4,
    z_channels=4,
)


def test_two_billion_is_what_it_says() -> None:
    shapes = expected_shapes(ModelConfig.from_dict({"model_type": "chameleon", **TWO_BILLION}))
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == pytest.approx(2.3e9, rel=0.02)


def test_a_folder_in_several_files_loads_with_the_image_tokenizer_beside_it(tmp_path: Path) -> None:
    small = {**SMALL, "torch_dtype": "bfloat16"}
    write_full_model(tmp_path, changes=small, image_tokenizer=TOKENIZER, shard_bytes=4_000_000)
    assert len(list(tmp_path.glob("model-0000?-of-0000?.safetensors"))) > 3
    pipeline = LocalPipeline.load(tmp_path)
    assert pipeline.loaded.vocabulary.image_code_count == pipeline.movqgan.config.n_embed == 4096


def test_one_command_writes_a_folder(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--parameters", "9m", "--out", str(tmp_path / "model")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "model/model.safetensors").stat().st_size > 30_000_000
