"""Make a model folder from a training run: `python -m training.export --model DIR --run DIR --out DIR`.

The weights are the averaged weights of the run's last checkpoint; configuration and tokenizers are copied
from the folder that the run started from. A run that trained an adapter is exported as an adapter in peft's
layout, or with --merge as a whole model. The weights of several runs with the same start are averaged. A run
can be exported while it is training.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import torch
from torch import Tensor

from services.tokenizer.movqgan import save_movqgan
from services.worker.engine.loading.adapters import Adapter, load_adapter
from services.worker.engine.loading.weight_streaming import load_transformer
from services.worker.engine.model.config import ModelConfig
from training.checkpoints import latest_checkpoint, read_checkpoint
from training.errors import TrainingError
from training.program import FOLDER, FOLDER_THERE, TrainingProgram, keep_output, overwrite_option
from training.tokenizer.trainer import latest_movqgan
from training.transformer.lora import adapter_rank, write_adapter
from training.transformer.model_folder import copy_with_weights

ADAPTER = "adapter"
"""Subfolder of a run that holds its adapter, in peft's layout."""


class Export(NamedTuple):
    """step: number of training steps of the weights. is_adapter: whether only an adapter was written."""

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
    """Write a model folder or an adapter folder.

    movqgan_run: a run of `training.movqgan` whose image tokenizer replaces the one in `model`.
    averaged: export the exponential moving average instead of the last weights.
    merge: merge a trained adapter into the weights of `model`.
    others: more runs with the same start; the weights of all runs are averaged, each with the same share
        (model soups, Wortsman et al. 2022).
    Raises FileNotFoundError for a run without a checkpoint, TrainingError for a run of another model and
    if `out` is `model` or a run.
    """
    if out.resolve() in {folder.resolve() for folder in (model, run, *others)}:
        raise TrainingError(f"{out} is an input of this export; choose another --out")
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
        raise TrainingError(f"{run} trained another model than {model}")
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
    """The mean of every weight. Raises TrainingError if names or shapes differ."""
    first, *rest = soup
    shapes = {name: weight.shape for name, weight in first.items()}
    if any({name: weight.shape for name, weight in each.items()} != shapes for each in rest):
        raise TrainingError("the runs trained different models, so their weights cannot be averaged")
    if not rest:
        return first
    return {name: torch.stack([each[name] for each in soup]).mean(0) for name in first}


def _adapter(rank: int, weights: dict[str, Tensor], config: ModelConfig) -> Adapter:
    with tempfile.TemporaryDirectory() as folder:
        write_adapter(Path(folder), rank, weights, torch.float32)
        return load_adapter(Path(folder), config)


@click.command(cls=TrainingProgram)
@click.option("--model", type=FOLDER_THERE, required=True)
@click.option(
    "--run",
    "runs",
    type=FOLDER_THERE,
    required=True,
    multiple=True,
    help="Run folder; the weights of several runs with the same start are averaged.",
)
@click.option("--movqgan-run", type=FOLDER_THERE, help="Run of training.movqgan with the image tokenizer.")
@click.option("--out", type=FOLDER, required=True)
@overwrite_option
@click.option("--averaged/--last", default=True, show_default=True, help="Moving average or last weights.")
@click.option("--merge", is_flag=True, help="Write a whole model instead of an adapter.")
def main(
    *,
    model: Path,
    runs: tuple[Path, ...],
    movqgan_run: Path | None,
    out: Path,
    averaged: bool,
    merge: bool,
    overwrite: bool,
) -> None:
    """Make a model folder or an adapter from a training run."""
    run, *others = runs
    if others and any(adapter_rank(each / ADAPTER) is not None for each in runs):
        raise click.UsageError("adapters cannot be averaged; export one run at a time")
    keep_output(out, overwrite=overwrite)
    export = export_model(
        model, run, out, movqgan_run=movqgan_run, averaged=averaged, merge=merge, others=others
    )
    what = "adapter" if export.is_adapter else "weights"
    click.echo(f"{out}: {what} after {export.step} steps")


if __name__ == "__main__":
    main()
