"""Check that every training stage works: `python -m training.smoke --out runs/smoke`.

All sizes are tiny, so it takes seconds. The resulting model, OUT/model, loads and draws, but only noise.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import torch

from training.export import export_model
from training.finetune import RunOptions, finetune, open_batches
from training.movqgan import make_tokenizer, tiny_config
from training.pretokenize import tokenize_scenes
from training.program import FOLDER, THREADS, TrainingProgram
from training.scratch import ModelShape, make_model
from training.tokenizer.trainer import TokenizerOptions
from training.transformer.trainer import TrainingOptions


@dataclass(frozen=True, slots=True)
class SmokeSizes:
    """Sizes and step counts of a smoke run."""

    tokenizer_steps: int = 20
    hidden: int = 64
    layers: int = 2
    examples: int = 128
    batch: int = 8
    steps: int = 30


def smoke(out: Path, sizes: SmokeSizes) -> Path:
    """Train the image tokenizer and the transformer; returns the model folder."""
    model, start, run, data = out / "model", out / "start", out / "run", out / "data"
    options = TokenizerOptions(sizes.tokenizer_steps, batch=4, bf16=False)
    for split, figures in make_tokenizer(out / "movqgan", tiny_config(), options, measured=32).items():
        click.echo(f"{split}: {figures}")
    shape = ModelShape(sizes.hidden, sizes.layers, heads=4, words=64)
    make_model(out / "movqgan" / "model", start, shape, seed=1, prompts=200)
    tokenize_scenes(start, data, examples=sizes.examples, cells=shape.cells, seed=1)
    source = open_batches(start, (data,), size=sizes.batch, seed=1, dropout=0.1)
    training = TrainingOptions(sizes.steps, warmup=2, bf16=False)
    finetune(start, source, run, training, RunOptions(line_every=10))
    export_model(start, run, model)
    return model


@click.command(cls=TrainingProgram)
@click.option("--out", type=FOLDER, default=Path("runs/smoke"))
@click.option("--threads", type=THREADS, default=1, show_default=True)
def main(*, out: Path, threads: int) -> None:
    """Run all stages; a second call resumes the first one."""
    torch.set_num_threads(threads)
    click.echo(f"trained {smoke(out, SmokeSizes())}")


if __name__ == "__main__":
    main()
