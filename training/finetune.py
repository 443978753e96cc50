"""Train a model folder on tokenized sequences: `python -m training.finetune --help`.

From random weights (`training.scratch`) this is pre-training; from a published model it is fine-tuning, of
all weights or of an adapter. The same command resumes an interrupted run. RUN/checkpoints holds the run's
state; `training.export` makes a model folder from it. Under torchrun several processes train together.
"""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
import torch

from services.worker.engine.loading.auto_precision import choose_device
from services.worker.engine.loading.weights_fingerprint import fingerprint_model
from services.worker.engine.model.config import ModelConfig
from training.data.batches import ShuffledBatches
from training.data.requests import read_vocabulary
from training.data.sequences import SequenceStore
from training.distributed import Workers, is_first_process, join_workers
from training.errors import TrainingError
from training.export import ADAPTER
from training.program import (
    FOLDER,
    FOLDER_THERE,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    THREADS,
    TrainingProgram,
    check_writable,
)
from training.progress import RunProgress
from training.samples import read_prompts, write_run_sheet
from training.transformer.lora import write_adapter
from training.transformer.preparation import load_for_training
from training.transformer.trainer import TrainingOptions, TransformerTrainer

CHECKPOINTS = "checkpoints"
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of a run in addition to `TrainingOptions`.

    lora: rank of the adapter to train; None trains all weights.
    recompute: see `load_for_training`. seed: seed of a new adapter's weights.
    samples_every: steps between sample sheets; 0 draws none.
    prompts: prompts that the sheets show instead of scenes.
    movqgan_run: run whose image tokenizer draws the sheets, instead of the one in the model folder.
    save_seconds: seconds between checkpoints. line_every: steps between lines in the log.
    """

    lora: int | None = None
    recompute: bool = False
    seed: int = 1
    samples_every: int = 0
    prompts: Sequence[str] = ()
    movqgan_run: Path | None = None
    save_seconds: float = 180.0
    line_every: int = 20


def open_batches(
    model: Path, data: tuple[Path, ...], *, size: int, seed: int, dropout: float
) -> ShuffledBatches:
    """Open folders of sequences as batches for the model in folder `model`.

    size: sequences of a batch. dropout: see `ShuffledBatches.prompt_dropout`.
    Raises TrainingError for a folder that was made for another model or has no sequences.
    """
    vocabulary, _ = read_vocabulary(model)
    stores = [SequenceStore.read(folder) for folder in data]
    for folder, store in zip(data, stores, strict=True):
        if not store.fits(vocabulary):
            raise TrainingError(f"{folder} was made for another model; make it again for {model}")
    return ShuffledBatches(
        SequenceStore.join(stores),
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
    choices: RunOptions | None = None,
    *,
    device: torch.device = CPU,
) -> None:
    """Train the model of a folder to the last step; writes checkpoints regularly and at the end.

    Continues from the run's last checkpoint, if it has one. Raises TrainingError if that checkpoint does not
    fit or the batch cannot be split evenly, EngineError if the model folder cannot be loaded.
    """
    choices = choices or RunOptions()
    with join_workers(device) as workers:
        if source.size % (parts := workers.count * options.accumulate):
            raise TrainingError(f"a batch of {source.size} sequences does not split into {parts} equal parts")
        transformer = load_for_training(
            model,
            workers,
            lora=choices.lora,
            bf16=options.bf16,
            recompute=choices.recompute,
            seed=choices.seed,
        )
        # an adapter's checkpoints do not hold the base weights, so they name the model that they belong to
        base = {} if choices.lora is None else {"--model": fingerprint_model(model)}
        trainer = TransformerTrainer(transformer, source, options, workers, base)
        trainer.resume(run / CHECKPOINTS)
        _train(trainer, workers, _Run(model, run, choices.lora), options.steps, choices)


@dataclass(frozen=True, slots=True)
class _Run:
    """Folders of a run, and the rank of its adapter."""

    model: Path
    folder: Path
    lora: int | None

    def save(self, trainer: TransformerTrainer, workers: Workers) -> None:
        """Write a checkpoint, and the adapter if one is trained; all workers must call this."""
        averaged = trainer.save(self.folder / CHECKPOINTS)
        if workers.is_first and self.lora is not None:
            dtype = ModelConfig.from_folder(self.model).torch_dtype
            write_adapter(self.folder / ADAPTER, self.lora, averaged, dtype)


def _train(trainer: TransformerTrainer, workers: Workers, run: _Run, steps: int, choices: RunOptions) -> None:
    progress = (
        RunProgress(run.folder, steps, trainer.step, unit="tokens", line_every=choices.line_every)
        if workers.is_first
        else None
    )
    saved_at = time.monotonic()
    with progress or nullcontext():
        while trainer.step < steps:
            tokens, figures = trainer.train_step()
            if progress is not None:
                progress.advance(trainer.step, tokens, figures)
            is_late = workers.first_says(time.monotonic() - saved_at > choices.save_seconds)
            is_sampled = choices.samples_every > 0 and trainer.step % choices.samples_every == 0
            if is_late or is_sampled or trainer.step == steps:
                run.save(trainer, workers)
                saved_at = time.monotonic()
            if is_sampled and progress is not None:
                sheet = write_run_sheet(run.model, run.folder, choices.prompts, choices.movqgan_run)
                progress.say(f"samples: {sheet}")


@click.command(cls=TrainingProgram)
@click.option("--model", type=FOLDER_THERE, required=True)
@click.option("--data", type=FOLDER_THERE, required=True, multiple=True, help="Folder of sequences.")
@click.option("--run", type=FOLDER, required=True, help="Run folder.")
@click.option("--steps", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--learning-rate", type=POSITIVE, default=3e-3, show_default=True)
@click.option("--warmup", type=click.IntRange(min=0), default=100, show_default=True)
@click.option("--decay", type=SHARE, default=0.25, show_default=True, help="Share of the run, at its end.")
@click.option("--prompt-dropout", type=SHARE, default=0.1, show_default=True)
@click.option("--muon/--adamw", default=None, help="Default: Muon, AdamW for an adapter.")
@click.option("--bf16/--fp32", default=True, show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--threads", type=THREADS, default=2, show_default=True)
@click.option("--save-seconds", type=NOT_NEGATIVE, default=180.0, show_default=True)
@click.option("--lora", type=click.IntRange(min=1), metavar="RANK", help="Train an adapter of this rank.")
@click.option(
    "--accumulate",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Compute each batch in this many parts, which saves memory.",
)
@click.option("--recompute", is_flag=True, help="Use less memory and more time for the backward pass.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--samples-every", type=click.IntRange(min=0), default=0, help="In steps; 0 draws none.")
@click.option(
    "--sample-prompts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Prompts of the samples, one per line. Default: scenes.",
)
@click.option(
    "--movqgan-run",
    type=FOLDER_THERE,
    help="Run of training.movqgan whose image tokenizer draws the samples.",
)
@click.option("--line-every", type=click.IntRange(min=1), default=20, show_default=True, help="In steps.")
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
    muon: bool | None,
    bf16: bool,
    seed: int,
    threads: int,
    save_seconds: float,
    lora: int | None,
    accumulate: int,
    recompute: bool,
    device: str,
    samples_every: int,
    sample_prompts: Path | None,
    movqgan_run: Path | None,
    line_every: int,
) -> None:
    """Train or fine-tune a model."""
    torch.set_num_threads(threads)
    options = TrainingOptions(
        steps,
        learning_rate=learning_rate,
        warmup=warmup,
        decay=decay,
        bf16=bf16,
        muon=lora is None if muon is None else muon,
        accumulate=accumulate,
    )
    choices = RunOptions(
        lora=lora,
        recompute=recompute,
        seed=seed,
        samples_every=samples_every,
        prompts=read_prompts(sample_prompts),
        movqgan_run=movqgan_run,
        save_seconds=save_seconds,
        line_every=line_every,
    )
    check_writable(run)
    source = open_batches(model, data, size=batch, seed=seed, dropout=prompt_dropout)
    if is_first_process():
        click.echo(f"{len(source.store)} sequences, {source.batches_per_epoch} batches per epoch")
    finetune(model, source, run, options, choices, device=choose_device(device))


if __name__ == "__main__":
    main()
