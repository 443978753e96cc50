"""Train the image tokenizer of the scene world: `python -m training.movqgan --run runs/movqgan`.

The codes are computed from the scenes (`training.scenes.cell_codes`), so pre-tokenisation and transformer
training can start at once with the untrained tokenizer, RUN/start. The trained one is RUN/model. The same
command resumes a run.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, load_movqgan, save_movqgan
from training.errors import TrainingError
from training.program import FOLDER, POSITIVE, SEED, THREADS, TrainingProgram, check_writable
from training.scenes.cell_codes import alphabet
from training.tokenizer.codebook import Meaning, first_codebook
from training.tokenizer.measures import TokenizerFigures, measure
from training.tokenizer.pictures import sample_pictures
from training.tokenizer.trainer import (
    START,
    TokenizerOptions,
    TokenizerTrainer,
    latest_movqgan,
    train_tokenizer,
)

_MEASURED_STEP = 1 << 40
"""Step index of the pictures that measure the tokenizer; no run trains that long."""


def tiny_config(*, ch: int = 16, components: int = 32) -> MoVQGANConfig:
    """Eight pixels per token and no attention, since a cell depends only on cells at most two away."""
    return MoVQGANConfig(
        ch=ch,
        ch_mult=(1, 2, 4, 8),
        num_res_blocks=1,
        attn_resolutions=(),
        n_embed=len(alphabet()),
        embed_dim=components,
        z_channels=components,
        resolution=64,
        mid_attention=False,
        norm_groups=8,
    )


def begin(run: Path, config: MoVQGANConfig, *, seed: int, meanings: Sequence[Meaning] | None = None) -> None:
    """Write RUN/start if it does not exist. Raises TrainingError if it has another configuration.

    meanings: see `first_codebook`.
    """
    if (run / START).exists():
        if load_movqgan(run / START).config != config:
            raise TrainingError(f"{run} was started with other --channels; choose another run folder")
        return
    torch.manual_seed(seed)
    fresh = MoVQGAN(config)
    with torch.no_grad():
        fresh.quantize.embedding.weight.copy_(first_codebook(config.embed_dim, seed, meanings))
    save_movqgan(fresh, run / START)


def make_tokenizer(
    run: Path, config: MoVQGANConfig, options: TokenizerOptions, *, measured: int
) -> dict[str, TokenizerFigures]:
    """Train and write RUN/model; returns its figures for each split, measured on `measured` new pictures."""
    begin(run, config, seed=options.seed)
    train_tokenizer(TokenizerTrainer(load_movqgan(run / START), options), run)
    model = latest_movqgan(run).eval()
    save_movqgan(model, run / "model")
    return {
        split: measure(
            model, sample_pictures(measured, options.seed, _MEASURED_STEP, cells=options.cells, split=split)
        )
        for split in ("train", "held_out")
    }


@click.command(cls=TrainingProgram)
@click.option("--run", type=FOLDER, required=True, help="Run folder.")
@click.option("--steps", type=click.IntRange(min=1), default=6000, show_default=True)
@click.option("--batch", type=click.IntRange(min=2), default=16, show_default=True)
@click.option("--channels", type=click.IntRange(min=16), default=16, show_default=True)
@click.option("--learning-rate", type=POSITIVE, default=2e-3, show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--threads", type=THREADS, default=2, show_default=True)
@click.option("--bf16/--fp32", default=True, show_default=True)
def main(
    *,
    run: Path,
    steps: int,
    batch: int,
    channels: int,
    learning_rate: float,
    seed: int,
    threads: int,
    bf16: bool,
) -> None:
    """Train the image tokenizer and print how well it reconstructs pictures."""
    torch.set_num_threads(threads)
    if channels % 8:
        raise TrainingError(f"--channels {channels} is not a multiple of 8")
    check_writable(run)
    options = TokenizerOptions(steps, batch, learning_rate=learning_rate, seed=seed, bf16=bf16)
    for split, figures in make_tokenizer(run, tiny_config(ch=channels), options, measured=1000).items():
        click.echo(f"{split}: {figures}")


if __name__ == "__main__":
    main()
