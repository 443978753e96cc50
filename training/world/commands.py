"""The commands that train, judge and export the model of the larger world."""

import tempfile
from pathlib import Path

import click

from training.errors import TrainingError
from training.program import (
    FOLDER,
    FOLDER_THERE,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    THREADS,
    check_writable,
    keep_output,
    overwrite_option,
)
from training.world.judge.evaluation import SECTIONS, evaluate
from training.world.judge.plan import WorldPlan
from training.world.scene import CANVASES

CANVAS_OF = {str(canvas): canvas for canvas in CANVASES}

run_option = click.option("--run", type=FOLDER, required=True, help="Run folder.")
minutes_option = click.option(
    "--minutes", type=POSITIVE, default=9.0, show_default=True, help="Length of this slice."
)
device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
threads_option = click.option("--threads", type=THREADS, default=1, show_default=True)
processes_option = click.option(
    "--processes", type=click.IntRange(min=0), default=0, show_default=True, help="Make data ahead in these."
)
bf16_option = click.option("--bf16/--fp32", default=None, help="Default: bfloat16 where it is fast.")


@click.command()
@run_option
@minutes_option
@click.option("--steps", type=click.IntRange(min=1), default=30_000, show_default=True)
@click.option("--batch", type=click.IntRange(min=2), default=32, show_default=True)
@click.option("--learning-rate", type=POSITIVE, default=2e-3, show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
@bf16_option
@device_option
@threads_option
@processes_option
@click.option("--measured", type=click.IntRange(min=0), default=0, help="Measure this many pictures.")
def tokenizer(
    *,
    run: Path,
    minutes: float,
    steps: int,
    batch: int,
    learning_rate: float,
    seed: int,
    bf16: bool | None,
    device: str,
    threads: int,
    processes: int,
    measured: int,
) -> None:
    """Train the image tokenizer, from its last checkpoint."""
    from services.worker.engine.loading.auto_precision import choose_device
    from training.tokenizer.trainer import TokenizerOptions
    from training.world.learning.run import is_fast_in_bf16, use
    from training.world.learning.start import TOKENIZER, WorldShape
    from training.world.learning.tokenizer_run import measure_image_tokenizer, train_image_tokenizer

    check_writable(run)
    chosen = choose_device(device)
    use(chosen, threads)
    options = TokenizerOptions(
        steps,
        batch,
        learning_rate=learning_rate,
        seed=seed,
        bf16=is_fast_in_bf16(chosen) if bf16 is None else bf16,
    )
    folder = run / TOKENIZER
    done = train_image_tokenizer(
        folder, WorldShape(), options, minutes=minutes, device=chosen, processes=processes
    )
    click.echo(f"{folder}: {done} of {steps} steps")
    if measured:
        for split, figures in measure_image_tokenizer(folder, pictures=measured, seed=seed).items():
            click.echo(f"{split}: {figures}")


@click.command()
@run_option
@minutes_option
@click.option("--steps", type=click.IntRange(min=1), default=12_000, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--learning-rate", type=POSITIVE, default=3e-3, show_default=True)
@click.option("--warmup", type=click.IntRange(min=0), default=200, show_default=True)
@click.option("--decay", type=SHARE, default=0.2, show_default=True, help="Share of the run, at its end.")
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--accumulate", type=click.IntRange(min=1), default=1, show_default=True)
@bf16_option
@device_option
@threads_option
@processes_option
@click.option("--save-seconds", type=NOT_NEGATIVE, default=120.0, show_default=True)
@click.option("--line-every", type=click.IntRange(min=1), default=20, show_default=True)
def train(
    *,
    run: Path,
    minutes: float,
    steps: int,
    batch: int,
    learning_rate: float,
    warmup: int,
    decay: float,
    seed: int,
    accumulate: int,
    bf16: bool | None,
    device: str,
    threads: int,
    processes: int,
    save_seconds: float,
    line_every: int,
) -> None:
    """Train the transformer, from its last checkpoint; a new run is started first."""
    from services.worker.engine.loading.auto_precision import choose_device
    from training.transformer.trainer import TrainingOptions
    from training.world.learning.run import Course, Slice, is_fast_in_bf16, use
    from training.world.learning.run import train as train_slice
    from training.world.learning.start import MODEL, WorldShape, start_run

    check_writable(run)
    if batch % accumulate:
        raise TrainingError(f"a batch of {batch} sequences does not split into {accumulate} equal parts")
    chosen = choose_device(device)
    use(chosen, threads)
    if not (run / MODEL).exists():
        parameters = start_run(run, WorldShape(), seed=seed)
        click.echo(f"{run / MODEL}: {parameters / 1e6:.2f} M parameters")
    options = TrainingOptions(
        steps,
        learning_rate=learning_rate,
        warmup=warmup,
        decay=decay,
        bf16=is_fast_in_bf16(chosen) if bf16 is None else bf16,
        accumulate=accumulate,
    )
    part = Slice(minutes, chosen, processes, save_seconds, line_every)
    done = train_slice(run, Course(batch, seed), options, part)
    click.echo(f"{run}: {done} of {steps} steps")


@click.command()
@click.option("--run", type=FOLDER_THERE, required=True, help="Run folder.")
@click.option("--out", type=FOLDER, required=True)
@overwrite_option
def export(*, run: Path, out: Path, overwrite: bool) -> None:
    """Make a model folder from the averaged weights and the newest image tokenizer; also during training."""
    from training.world.learning.export import export_world

    keep_output(out, overwrite=overwrite)
    step = export_world(run, out)
    click.echo(f"{out}: weights after {step} steps")


@click.command("evaluate")
@click.option("--model", type=FOLDER_THERE, help="Model folder.")
@click.option("--run", type=FOLDER_THERE, help="Run folder, whose newest weights are judged.")
@click.option("--output", type=FOLDER, required=True, help="Report folder.")
@click.option("--per-row", type=click.IntRange(min=1), default=100, show_default=True, help="Questions.")
@click.option("--seed", type=SEED, default=1000, show_default=True)
@click.option(
    "--size", "sizes", type=click.Choice(list(CANVAS_OF)), multiple=True, help="Default: the main size."
)
@click.option("--section", "sections", type=click.Choice(list(SECTIONS)), multiple=True, help="Default: all.")
@click.option("--guidance-scale", type=NOT_NEGATIVE, help="Default: what the model recommends.")
@click.option("--spelled", is_flag=True, help="Read pictures from their codes, without the image tokenizer.")
@threads_option
def evaluate_command(
    *,
    model: Path | None,
    run: Path | None,
    output: Path,
    per_row: int,
    seed: int,
    sizes: tuple[str, ...],
    sections: tuple[str, ...],
    guidance_scale: float | None,
    spelled: bool,
    threads: int,
) -> None:
    """Measure a model on every task and write the report; without a model it judges true pictures."""
    check_writable(output)
    if model is not None and run is not None:
        raise click.UsageError("give --model or --run, not both")
    plans = [WorldPlan(per_row, seed, canvas=CANVAS_OF[size]) for size in sizes or list(CANVAS_OF)[:1]]
    chosen = sections or tuple(SECTIONS)
    if model is None and run is None:
        evaluate(plans, chosen, output, {})
        return
    # torch and the engine are slow to import, and true pictures do not need them
    import torch

    from training.world.judge.engine_generator import load_world_generator
    from training.world.learning.export import export_world

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = model or Path(temporary) / "model"
        if run is not None:
            export_world(run, folder)
        generator = load_world_generator(folder, spelled=spelled, guidance_scale=guidance_scale)
        settings = {
            "model": (model or run or folder).name,
            "guidance scale": f"{generator.sampling.guidance_scale:g}",
            "pictures": "read from codes" if spelled else "decoded",
        }
        codec = None if spelled else generator.codec
        evaluate(plans, chosen, output, settings, model=generator, codec=codec)
