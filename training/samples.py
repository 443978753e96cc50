"""A sheet of pictures that a model draws: `python -m training.samples --model DIR --out sheet.png`.

Of the scene world it draws two held-out examples of every task, and the same ones each time; with prompts
of your own it draws those. Training does this with `--samples-every`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch

from luminary.local.pipeline import LocalPipeline
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.tasks import Task
from training.export import export_model
from training.judging.contact_sheet import contact_sheet
from training.judging.engine_generator import EngineGenerator
from training.judging.generator import Question
from training.judging.plan import Exhibit, SectionReport
from training.scenes import Task as SceneTask
from training.scenes import sample_example
from training.scenes.world import CELL

PER_TASK = 2
_SEED = 1


def draw_scenes(pipeline: LocalPipeline, sampling: SamplingParameters) -> list[Exhibit]:
    """Examples of every task that training has never shown, with the answer of the model."""
    rng = np.random.default_rng(_SEED)
    cells = pipeline.default_size.width // CELL
    examples = [
        sample_example(rng, task, "held_out", cells=cells) for task in SceneTask for _ in range(PER_TASK)
    ]
    questions = [Question(example, _SEED + number) for number, example in enumerate(examples)]
    report = SectionReport()
    report.show(examples, EngineGenerator(pipeline, sampling).generate(questions), len(examples))
    return report.exhibits


def draw_prompts(
    pipeline: LocalPipeline, sampling: SamplingParameters, prompts: Sequence[str]
) -> list[Exhibit]:
    """One picture of each prompt, in the model's own size."""
    size = pipeline.default_size
    exhibits: list[Exhibit] = []
    for prompt in prompts:
        picture = pipeline.draw(PictureRequest(Task.TEXT_TO_IMAGE, prompt, size), sampling)[0]
        exhibits.append(Exhibit(prompt, (np.asarray(picture.image),)))
    return exhibits


def write_sheet(
    model: Path,
    out: Path,
    *,
    prompts: Sequence[str] = (),
    adapter: str | None = None,
) -> None:
    """Draw with the model of a folder and save the sheet as PNG. prompts: instead of scenes."""
    pipeline = LocalPipeline.load(model, adapter=adapter)
    sampling = SamplingParameters(seed=_SEED, guidance_scale=pipeline.loaded.default_guidance_scale)
    exhibits = draw_prompts(pipeline, sampling, prompts) if prompts else draw_scenes(pipeline, sampling)
    out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(exhibits).save(out)


def write_run_sheet(model: Path, run: Path, prompts: Sequence[str], movqgan_run: Path | None = None) -> Path:
    """Draw with the averaged weights of a run's last checkpoint, and return the path of the sheet.

    movqgan_run: a run of `training.movqgan` whose decoder draws, instead of the one in `model`.
    """
    with tempfile.TemporaryDirectory(dir=run) as folder:
        export = Path(folder) / "export"
        step, is_adapter = export_model(
            model, run, export, movqgan_run=movqgan_run, merge=movqgan_run is not None
        )
        out = run / "samples" / f"step-{step:08d}.png"
        if is_adapter:
            write_sheet(model, out, prompts=prompts, adapter=str(export))
        else:
            write_sheet(export, out, prompts=prompts)
    return out


def read_prompts(file: Path | None) -> list[str]:
    """The lines of a file that are not empty; none without a file."""
    lines = [] if file is None else file.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


@click.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--adapter", metavar="NAME", help="LoRA adapter: a name in MODEL/adapters, or a folder.")
@click.option("--prompts", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="One a line.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="PNG file.")
def main(*, model: Path, adapter: str | None, prompts: Path | None, threads: int, out: Path) -> None:
    """Draw the sheet."""
    torch.set_num_threads(threads)
    lines = read_prompts(prompts)
    write_sheet(model, out, prompts=lines, adapter=adapter)
    click.echo(str(out))


if __name__ == "__main__":
    main()
