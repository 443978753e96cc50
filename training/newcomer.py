"""Data and test for teaching an adapter a new word, "snowman": `python -m training.newcomer --help`.

The scene world has no snowmen. `draw` writes pictures of snowmen with captions, in the form of a user's own
data. `judge` lets a model draw snowmen and counts the correct pictures.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from luminary.local.pipeline import LocalPipeline, drawn_grid
from services.tokenizer.image_codec import decode_grids
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from training.judging.contact_sheet import contact_sheet
from training.judging.engine_generator import MoVQGANCodec
from training.judging.plan import Exhibit
from training.judging.recognition import recognise
from training.program import (
    FOLDER,
    FOLDER_THERE,
    SEED,
    THREADS,
    TrainingProgramGroup,
    check_writable,
    keep_output,
    overwrite_option,
)
from training.scenes.newcomer import Snowman, sample_caption, sample_snowman, shows_snowman
from training.scenes.rendering import Picture, render

_JUDGED_SEED = 1_000_003
"""Seed of the judged snowmen; no training set uses it."""


@click.group(cls=TrainingProgramGroup)
def main() -> None:
    """Draw snowmen for training an adapter, and count those that a model draws correctly."""


def draw_snowmen(out: Path, *, count: int, seed: int) -> None:
    """Write `count` pictures with captions into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        snowman = sample_snowman(rng)
        Image.fromarray(render(snowman.scene())).save(out / f"{number:05d}.png")
        (out / f"{number:05d}.txt").write_text(sample_caption(rng, snowman) + "\n", encoding="utf-8")


def ask_for_snowmen(pipeline: LocalPipeline, count: int) -> list[tuple[Snowman, Picture]]:
    """Let a model draw `count` snowmen; returns each requested snowman with its picture."""
    rng = np.random.default_rng(_JUDGED_SEED)
    guidance_scale = pipeline.loaded.default_guidance_scale
    asked = [sample_snowman(rng) for _ in range(count)]
    handles = [
        pipeline.engine.submit(
            GenerationRequest(
                pipeline.plan(PictureRequest(Task.TEXT_TO_IMAGE, snowman.caption, pipeline.default_size)),
                SamplingParameters(seed=seed, guidance_scale=guidance_scale, top_k=None),
            )
        )
        for seed, snowman in enumerate(asked)
    ]
    pipeline.engine.run_until_idle()
    pictures = decode_grids(pipeline.movqgan, [drawn_grid(handle) for handle in handles])
    return [(snowman, np.asarray(picture)) for snowman, picture in zip(asked, pictures, strict=True)]


def count_snowmen(asked: Sequence[Snowman], pictures: Sequence[Picture]) -> int:
    """Number of pictures that show the requested snowman."""
    pairs = zip(asked, pictures, strict=True)
    return sum(shows_snowman(recognise(picture), snowman) for snowman, picture in pairs)


@main.command("draw")
@click.option("--out", type=FOLDER, required=True)
@overwrite_option
@click.option("--count", type=click.IntRange(min=1), default=400, show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
def draw_command(*, out: Path, overwrite: bool, count: int, seed: int) -> None:
    """Write a folder of pictures with captions."""
    keep_output(out, overwrite=overwrite)
    draw_snowmen(out, count=count, seed=seed)
    click.echo(f"{out}: {count} pictures")


@main.command("judge")
@click.option("--model", type=FOLDER_THERE, required=True)
@click.option("--adapter", metavar="NAME", help="LoRA adapter: a name in MODEL/adapters, or a folder.")
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--threads", type=THREADS, default=2, show_default=True)
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="PNG file for the pictures.")
def judge_command(*, model: Path, adapter: str | None, count: int, threads: int, sheet: Path | None) -> None:
    """Let a model draw snowmen and count the correct pictures."""
    torch.set_num_threads(threads)
    if sheet is not None:
        check_writable(sheet.parent)
    pipeline = LocalPipeline.load(model, adapter=adapter)
    drawn = ask_for_snowmen(pipeline, count)
    asked, pictures = [snowman for snowman, _ in drawn], [picture for _, picture in drawn]
    codec = MoVQGANCodec(pipeline.movqgan)
    truth = codec.decode(codec.encode([render(snowman.scene()) for snowman in asked]))
    right, ceiling = count_snowmen(asked, pictures), count_snowmen(asked, truth)
    if sheet is not None:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet([Exhibit(snowman.caption, (picture,)) for snowman, picture in drawn]).save(sheet)
    click.echo(
        f"{right} of {count} pictures show the requested snowman; "
        f"of the true pictures, encoded and decoded, {ceiling} do"
    )


if __name__ == "__main__":
    main()
