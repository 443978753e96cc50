"""Models of the platform's benchmark: write them, and time them without the platform."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.random_model import IMAGE_CODES, write_benchmark_model
from services.tokenizer.image_codec import decode_grids, write_png
from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, load_movqgan, save_movqgan
from services.worker.engine.engine import Engine
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.loading.load import load_model
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from shared.token_grid import TokenGrid

DTYPE = "fp32"
IMAGE_TOKENIZER = MoVQGANConfig(
    ch=32,
    ch_mult=(1, 1, 2, 2),
    num_res_blocks=1,
    attn_resolutions=(32,),
    n_embed=IMAGE_CODES,
    embed_dim=4,
    z_channels=4,
    norm_groups=4,
)


def write_models(folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """Write a random decoder of 171 million parameters and a small image tokenizer.

    changes: entries that replace those of the decoder's config.json.
    """
    folder.mkdir()
    write_benchmark_model(folder, changes=changes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        image_tokenizer = MoVQGAN(IMAGE_TOKENIZER).eval()
    save_movqgan(image_tokenizer, folder / "movqgan")
    return folder


@dataclass(frozen=True)
class ModelTimes:
    """Milliseconds that each model needs for one picture."""

    engine: float
    tokenizer: float


class BareModels:
    """Both models in this process, without the platform."""

    def __init__(self, folder: Path, prompt: str, size: str) -> None:
        self._engine = Engine(load_model(folder, Precision.parse(DTYPE), "cpu"))
        loaded = self._engine.loaded
        picture = PictureRequest(Task.TEXT_TO_IMAGE, prompt, PictureSize.parse(size))
        self._plan = plan_sequence(loaded.vocabulary, loaded.text_tokenizer, picture)
        self._image_tokenizer = load_movqgan(folder / "movqgan", device=torch.device("cpu"))

    def draw(self, seed: int) -> ModelTimes:
        """Draw one picture and encode it as PNG."""
        begun = time.perf_counter()
        handle = self._engine.submit(GenerationRequest(self._plan, SamplingParameters(seed=seed)))
        self._engine.run_until_idle()
        drawn = time.perf_counter()
        codes, columns = handle.result_codes(), self._plan.shape.columns
        rows = [list(codes[start : start + columns]) for start in range(0, len(codes), columns)]
        [image] = decode_grids(self._image_tokenizer, [TokenGrid.from_rows(rows)])
        write_png(image)
        done = time.perf_counter()
        return ModelTimes(1000 * (drawn - begun), 1000 * (done - drawn))
