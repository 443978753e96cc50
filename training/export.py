"""Make a model folder of a training run: `python -m training.export --model DIR --run DIR --out DIR`.

Takes the averaged weights of the run's last checkpoint; configuration and tokenizer come from the folder
that the run started from. A run that trained an adapter becomes a folder as peft writes it, or with
--merge a whole model. Several runs that started from the same weights give the mean of theirs. Runs may go
on meanwhile.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import torch
from torch import Tensor

from services.tokenizer.movqgan import save_movqgan
from services.worker.engine.adapters import Adapter, load_adapter
from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import load_transformer
from training.checkpoints import latest_checkpoint, read_checkpoint
from training.tokenizer.trainer import latest_movqgan
from training.transformer.lora import adapter_rank, write_adapter
from training.transformer.model_folder import copy_with_weights

ADAPTER = "adapter"
"""Subfolder of a run with the adapter that it trains, as peft writes it."""


class Export(NamedTuple):
    """step: after how many steps the weights were saved. is_adapter: whether that is all there is."""

    step: int
    is_adapter: bool


def export_model(
    model: Path,
    run: Path,
    out: Path,
    *,
    movqgan_run: Path | None = None,
    averaged: bool = True,
    merge: bool = False,
    others: Sequence[Path] = (),
) -> Export:
    """Write the folder.

    movqgan_run: a run of `training.movqgan` whose decoder replaces the one in `model`.
    averaged: the exponential moving average instead of the last weights.
    merge: put a trained adapter into the weights of `model`.
    others: more runs of the same start, whose weights are averaged with those of `run`, one vote each
        (model soups, Wortsman et al. 2022).
    Raises FileNotFoundError for a run that has saved nothing yet, ValueError for one of another model.
    """
    saved = [_saved(folder, averaged) for folder in (run, *others)]
    step, weights = max(steps for steps, _ in saved), _mean([each for _, each in saved])
    config = ModelConfig.from_folder(model)
    rank = adapter_rank(run / ADAPTER)
    if rank is not None and not merge:
        write_adapter(out, rank, weights, config.torch_dtype)
        return Export(step, is_adapter=True)
    adapter = None if rank is None else _adapter(rank, weights, config)
    transformer, _ = load_transformer(model, config, torch.float32, torch.device("cpu"), adapter)
    parameters: dict[str, Tensor] = dict(transformer.named_parameters())
    if adapter is None and not weights.keys() <= parameters.keys():
        raise ValueError(f"{run} trained another model than {model}")
    copy_with_weights(model, out, parameters if adapter else parameters | weights)
    if movqgan_run is not None:
        save_movqgan(latest_movqgan(movqgan_run), out / "movqgan")
    return Export(step, is_adapter=False)


def _saved(run: Path, averaged: bool) -> tuple[int, dict[str, Tensor]]:
    """Step and weights of a run's last checkpoint."""
    path = latest_checkpoint(run / "checkpoints")
    if path is None:
        raise FileNotFoundError(f"{run} has no checkpoint yet")
    state = read_checkpoint(path)
    return state["step"], state["averaged" if averaged else "masters"]


def _mean(soup: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of every weight. Raises ValueError where the names or shapes differ."""
    first, *rest = soup
    shapes = {name: weight.shape for name, weight in first.items()}
    if any({name: weight.shape for name, weight in each.items()} != shapes for each in rest):
        raise ValueError("runs of different models have no mean")
    if not rest:
        return first
    return {name: torch.stack([each[name] for each in soup]).mean(0) for name in first}


def _adapter(rank: int, weights: dict[str, Tensor], config: ModelConfig) -> Adapter:
    with tempfile.TemporaryDirectory() as folder:
        write_adapter(Path(folder), rank, weights, torch.float32)
        return load_adapter(Path(folder), config)


@click.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option(
    "--run",
    "runs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    multiple=True,
    help="More of one start are averaged.",
)
@click.option(
    "--movqgan-run", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Newer decoder."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--averaged/--last", default=True, show_default=True, help="Which weights.")
@click.option("--merge", is_flag=True, help="Write a whole model instead of an adapter.")
def main(
    *, model: Path, runs: tuple[Path, ...], movqgan_run: Path | None, out: Path, averaged: bool, merge: bool
) -> None:
    """Write the folder."""
    run, *others = runs
    if others and any(adapter_rank(each / ADAPTER) is not None for each in runs):
        raise click.UsageError("adapters are exported one by one")
    export = export_model(
        model, run, out, movqgan_run=movqgan_run, averaged=averaged, merge=merge, others=others
    )
    what = "adapter" if export.is_adapter else "weights"
    click.echo(f"{out}: {what} after {export.step} steps")


if __name__ == "__main__":
    main()
