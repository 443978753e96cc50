"""Make an untrained model folder: `python -m training.scratch --movqgan DIR --out DIR`.

Its text vocabulary is trained on the world's prompts, its weights are random; `training.finetune` does
the rest, as it does with any other model folder.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn

from services.tokenizer.movqgan import load_movqgan
from services.worker.engine.config import ModelConfig
from services.worker.engine.prompts import prompt_text
from services.worker.engine.transformer import Transformer
from training.data.requests import request_of
from training.scenes import sample_example
from training.scenes.world import CELL
from training.transformer.model_folder import write_model_folder
from training.transformer.text_vocabulary import train_text_vocabulary

PROMPTS = 4000
"""Prompts that the text vocabulary is trained on; the world has fewer than 200 words."""
_ROUND = 64
"""The vocabulary is filled up to a multiple of this, which products of matrices like."""


def sample_prompts(count: int, seed: int, *, cells: int) -> list[str]:
    """Prompts of every task in the exact words of the engine's templates."""
    rng = np.random.default_rng(seed)
    prompts: list[str] = []
    for _ in range(count):
        example = sample_example(rng, cells=cells)
        # a template does not depend on the codes, only on whether there are any
        given = None if example.given is None else ()
        prompts.append(prompt_text(request_of(example, given)))
    return prompts


def initialise(model: Transformer, seed: int) -> None:
    """Normal weights of deviation 0.02; what adds to the residual stream starts smaller, as in GPT-2."""
    torch.manual_seed(seed)
    shrink = (2 * model.config.num_hidden_layers) ** -0.5
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            scale = shrink if name.endswith(("o_proj", "down_proj")) else 1.0
            nn.init.normal_(module.weight, std=0.02 * scale)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a fresh model.

    words: pieces of text beside the 256 bytes. grids: the longest side of a picture in grids of 32
    pixels. cells: side of its usual pictures in tokens of 8 pixels.
    """

    hidden: int = 256
    layers: int = 6
    heads: int = 8
    words: int = 400
    grids: int = 8
    cells: int = 8


def make_model(movqgan: Path, out: Path, shape: ModelShape, *, seed: int, prompts: int = PROMPTS) -> int:
    """Write the model folder for a finished image tokenizer; returns how many parameters there are."""
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


@click.command()
@click.option("--movqgan", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--hidden", type=click.IntRange(min=32), default=256, show_default=True)
@click.option("--layers", type=click.IntRange(min=1), default=6, show_default=True)
@click.option("--heads", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(*, movqgan: Path, out: Path, hidden: int, layers: int, heads: int, seed: int) -> None:
    """Write the folder."""
    parameters = make_model(movqgan, out, ModelShape(hidden, layers, heads), seed=seed)
    click.echo(f"{out}: {parameters / 1e6:.2f} M parameters")


if __name__ == "__main__":
    main()
