"""Make the image tokenizer of the scene world: `python -m training.movqgan --run runs/movqgan`.

Encoder and codebook are fitted at once (RUN/fitted), which is all that pre-tokenisation needs; then the
decoder is trained (RUN/model). The same command resumes a run that was cut off.
"""

from pathlib import Path

import click
import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, load_movqgan, save_movqgan
from training.tokenizer.fitting import fit_tokenizer
from training.tokenizer.measures import TokenizerFigures, measure
from training.tokenizer.pictures import sample_pictures
from training.tokenizer.trainer import FITTED, DecoderOptions, DecoderTrainer, latest_movqgan, train_decoder

FITTED_ON = 6000
"""Pictures whose cells encoder and codebook are fitted to."""
_MEASURED_STEP = 1 << 40
"""Its pictures are for measuring: no run gets so far."""


def tiny_config(*, ch: int = 16, codes: int = 768, components: int = 32) -> MoVQGANConfig:
    """Eight pixels a token and no attention, as the fitted encoder needs it."""
    return MoVQGANConfig(
        ch=ch,
        ch_mult=(1, 2, 4, 8),
        num_res_blocks=1,
        attn_resolutions=(),
        n_embed=codes,
        embed_dim=components,
        z_channels=components,
        resolution=64,
        mid_attention=False,
        norm_groups=8,
    )


def make_tokenizer(
    run: Path, config: MoVQGANConfig, options: DecoderOptions, *, pictures: int, measured: int
) -> TokenizerFigures:
    """Fit, train, measure, and write RUN/model.

    pictures: how many are fitted to. measured: how many fresh ones the figures are from.
    """
    fitted = run / FITTED
    if not fitted.exists():
        fresh = MoVQGAN(config)
        looks = fit_tokenizer(fresh, pictures=pictures, seed=options.seed, cells=options.cells)
        click.echo(f"fitted {config.n_embed} codes to {looks} looks of a cell")
        save_movqgan(fresh, fitted)
    model = load_movqgan(fitted)
    train_decoder(DecoderTrainer(model, options), run)
    figures = measure(model, sample_pictures(measured, options.seed, _MEASURED_STEP, cells=options.cells))
    save_movqgan(latest_movqgan(run), run / "model")
    return figures


@click.command()
@click.option("--run", type=click.Path(file_okay=False, path_type=Path), required=True, help="Run folder.")
@click.option("--steps", type=click.IntRange(min=1), default=4000, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True)
@click.option("--codes", type=click.IntRange(min=2), default=768, show_default=True)
@click.option("--channels", type=click.IntRange(min=16), default=16, show_default=True)
@click.option("--learning-rate", type=float, default=2e-3, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--bf16/--fp32", default=True, show_default=True)
def main(
    *,
    run: Path,
    steps: int,
    batch: int,
    codes: int,
    channels: int,
    learning_rate: float,
    seed: int,
    threads: int,
    bf16: bool,
) -> None:
    """Make the tokenizer and say how good it is."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    options = DecoderOptions(steps, batch, learning_rate=learning_rate, seed=seed, bf16=bf16)
    config = tiny_config(ch=channels, codes=codes)
    click.echo(make_tokenizer(run, config, options, pictures=FITTED_ON, measured=1000))


if __name__ == "__main__":
    main()
