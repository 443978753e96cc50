"""Write an untrained model folder: `python -m training.scratch --movqgan DIR --out DIR`.

The text vocabulary is trained on prompts of the scene world; the weights are random. `training.finetune`
trains the folder like any other.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn

from services.tokenizer.movqgan import load_movqgan
from services.worker.engine.layout.prompts import prompt_text
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.transformer import Transformer
from training.data.requests import request_of
from training.errors import TrainingError
from training.program import (
    FOLDER,
    FOLDER_THERE,
    SEED,
    TrainingProgram,
    keep_output,
    overwrite_option,
)
from training.scenes import sample_example
from training.scenes.world import CELL
from training.transformer.model_folder import write_model_folder
from training.transformer.text_vocabulary import train_text_vocabulary

PROMPTS = 4000
"""Number of prompts for training the text vocabulary; the scene world has fewer than 200 words."""
_ROUND = 64
"""The vocabulary size is rounded up to a multiple of this, which makes matrix products faster."""


def sample_prompts(count: int, seed: int, *, cells: int) -> list[str]:
    """Prompts of all tasks, written with the engine's templates."""
    rng = np.random.default_rng(seed)
    prompts: list[str] = []
    for _ in range(count):
        example = sample_example(rng, cells=cells)
        # a template depends on whether codes are given, not on their values
        given = None if example.given is None else ()
        prompts.append(prompt_text(request_of(example, given)))
    return prompts


def initialise(model: Transformer, seed: int) -> None:
    """Draw normal weights of standard deviation 0.02; as in GPT-2, outputs of a layer start smaller."""
    torch.manual_seed(seed)
    shrink = (2 * model.config.num_hidden_layers) ** -0.5
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            scale = shrink if name.endswith(("o_proj", "down_proj")) else 1.0
            nn.init.normal_(module.weight, std=0.02 * scale)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a new model.

    words: text tokens in addition to the 256 bytes. grids: longest side of a picture, in units of 32 pixels.
    cells: side of a default picture, in cells of 8 pixels.
    """

    hidden: int = 256
    layers: int = 6
    heads: int = 8
    words: int = 400
    grids: int = 8
    cells: int = 8


def make_model(movqgan: Path, out: Path, shape: ModelShape, *, seed: int, prompts: int = PROMPTS) -> int:
    """Write an untrained model folder with this image tokenizer; returns the number of parameters."""
    codes = load_movqgan(movqgan).config.n_embed
    corpus = sample_prompts(prompts, seed, cells=shape.cells)
    tokenizer = train_text_vocabulary(corpus, words=shape.words, codes=codes, grids=shape.grids)
    config = ModelConfig(
        vocab_size=-(-tokenizer.get_vocab_size() // _ROUND) * _ROUND,
        hidden_size=shape.hidden,
        intermediate_size=-(-shape.hidden * 8 // 3 // 32) * 32,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
    )
    model = Transformer(config)
    initialise(model, seed)
    side = shape.cells * CELL
    write_model_folder(out, model, tokenizer, movqgan, image_size=f"{side}x{side}")
    return sum(parameter.numel() for parameter in model.parameters())


@click.command(cls=TrainingProgram)
@click.option("--movqgan", type=FOLDER_THERE, required=True)
@click.option("--out", type=FOLDER, required=True)
@overwrite_option
@click.option("--hidden", type=click.IntRange(min=32), default=256, show_default=True)
@click.option("--layers", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--heads", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
def main(
    *, movqgan: Path, out: Path, overwrite: bool, hidden: int, layers: int, heads: int, seed: int
) -> None:
    """Write an untrained model folder."""
    if hidden % (2 * heads):
        raise TrainingError(f"--hidden {hidden} is not a multiple of twice --heads {heads}")
    keep_output(out, overwrite=overwrite)
    parameters = make_model(movqgan, out, ModelShape(hidden, layers, heads), seed=seed)
    click.echo(f"{out}: {parameters / 1e6:.2f} M parameters")


if __name__ == "__main__":
    main()
