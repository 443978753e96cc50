"""Make a model folder of a training run: `python -m training.export --model DIR --run DIR --out DIR`.

Takes the averaged weights of the run's last checkpoint; configuration and tokenizer come from the folder
that the run started from. Runs may go on meanwhile.
"""

from pathlib import Path

import click
import torch

from services.tokenizer.movqgan import save_movqgan
from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import load_transformer
from training.checkpoints import latest_checkpoint, read_checkpoint
from training.tokenizer.trainer import latest_movqgan
from training.transformer.model_folder import copy_with_weights


def export_model(
    model: Path, run: Path, out: Path, *, movqgan_run: Path | None = None, averaged: bool = True
) -> int:
    """Write the folder; returns after how many steps the weights were saved.

    movqgan_run: a run of `training.movqgan` whose decoder replaces the one in `model`.
    averaged: the exponential moving average instead of the last weights.
    Raises FileNotFoundError for a run that has saved nothing yet.
    """
    path = latest_checkpoint(run / "checkpoints")
    if path is None:
        raise FileNotFoundError(f"{run} has no checkpoint yet")
    state = read_checkpoint(path)
    config = ModelConfig.from_folder(model)
    transformer, _ = load_transformer(model, config, torch.float32, torch.device("cpu"))
    weights = dict(transformer.named_parameters()) | state["averaged" if averaged else "masters"]
    copy_with_weights(model, out, weights)
    if movqgan_run is not None:
        save_movqgan(latest_movqgan(movqgan_run), out / "movqgan")
    return state["step"]


@click.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--run", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option(
    "--movqgan-run", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Newer decoder."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--averaged/--last", default=True, show_default=True, help="Which weights.")
def main(*, model: Path, run: Path, movqgan_run: Path | None, out: Path, averaged: bool) -> None:
    """Write the folder."""
    steps = export_model(model, run, out, movqgan_run=movqgan_run, averaged=averaged)
    click.echo(f"{out}: weights after {steps} steps")


if __name__ == "__main__":
    main()
