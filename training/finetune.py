"""Train a model folder on pre-tokenised sequences: `python -m training.finetune --help`.

From random weights (`training.scratch`) this is pre-training, from a published model it is fine-tuning.
The same command resumes a run that was cut off; RUN/checkpoints has its state, `training.export` makes a
model folder of it.
"""

import time
from pathlib import Path

import click
import torch

from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import load_transformer
from training.data.batches import ShuffledBatches
from training.data.requests import read_vocabulary
from training.data.sequences import SequenceStore
from training.progress import RunProgress
from training.transformer.trainer import TrainingOptions, TransformerTrainer


def open_batches(
    model: Path, data: tuple[Path, ...], *, size: int, seed: int, dropout: float
) -> ShuffledBatches:
    """The sequences of some folders as batches, for the model of a folder."""
    vocabulary, _ = read_vocabulary(model)
    return ShuffledBatches(
        SequenceStore.join([SequenceStore.read(folder) for folder in data]),
        size,
        seed,
        dropout,
        vocabulary.first_image_token,
        vocabulary.image_code_count,
    )


def finetune(
    model: Path,
    source: ShuffledBatches,
    run: Path,
    options: TrainingOptions,
    *,
    save_seconds: float = 180.0,
    line_every: int = 20,
) -> None:
    """Train all weights of a folder's model until all steps are done, saving now and then and at the end.

    Continues from the run's last checkpoint, if it has one.
    """
    config = ModelConfig.from_folder(model)
    transformer, _ = load_transformer(model, config, torch.float32, torch.device("cpu"))
    trainer = TransformerTrainer(transformer.train().requires_grad_(True), source, options)
    checkpoints, steps = run / "checkpoints", options.steps
    trainer.resume(checkpoints)
    saved_at = time.monotonic()
    with RunProgress(run, steps, trainer.step, unit="tokens", line_every=line_every) as progress:
        while trainer.step < steps:
            tokens, figures = trainer.train_step()
            progress.advance(trainer.step, tokens, figures)
            if time.monotonic() - saved_at > save_seconds or trainer.step == steps:
                trainer.save(checkpoints)
                saved_at = time.monotonic()


@click.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, multiple=True
)
@click.option("--run", type=click.Path(file_okay=False, path_type=Path), required=True, help="Run folder.")
@click.option("--steps", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--learning-rate", type=float, default=3e-3, show_default=True)
@click.option("--warmup", type=click.IntRange(min=0), default=100, show_default=True)
@click.option("--decay", type=float, default=0.25, show_default=True, help="Share of the run at its end.")
@click.option("--prompt-dropout", type=float, default=0.1, show_default=True)
@click.option("--muon/--adamw", default=True, show_default=True)
@click.option("--bf16/--fp32", default=True, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--save-seconds", type=float, default=180.0, show_default=True)
def main(
    *,
    model: Path,
    data: tuple[Path, ...],
    run: Path,
    steps: int,
    batch: int,
    learning_rate: float,
    warmup: int,
    decay: float,
    prompt_dropout: float,
    muon: bool,
    bf16: bool,
    seed: int,
    threads: int,
    save_seconds: float,
) -> None:
    """Train all weights of the model."""
    torch.set_num_threads(threads)
    source = open_batches(model, data, size=batch, seed=seed, dropout=prompt_dropout)
    options = TrainingOptions(
        steps, learning_rate=learning_rate, warmup=warmup, decay=decay, bf16=bf16, muon=muon
    )
    click.echo(f"{len(source.store)} sequences, {source.batches_per_epoch} batches an epoch")
    finetune(model, source, run, options, save_seconds=save_seconds)


if __name__ == "__main__":
    main()
