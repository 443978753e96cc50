"""Draw a sheet of sample pictures with a model: `python -m training.samples --model DIR --out sheet.png`.

Without --prompts the sheet shows two held-out examples of every task of the scene world, always the same
ones; with --prompts it shows one picture per prompt. Training writes such sheets with `--samples-every`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch

from luminary.local.pipeline import LocalPipeline
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from training.data.texts import read_text
from training.export import export_model
from training.judging.contact_sheet import contact_sheet
from training.judging.engine_generator import EngineGenerator
from training.judging.generator import Question
from training.judging.plan import Exhibit, SectionReport
from training.program import FOLDER_THERE, THREADS, TrainingProgram, check_writable
from training.scenes import sample_example
from training.scenes.world import CELL

PER_TASK = 2
_SEED = 1


def draw_scenes(pipeline: LocalPipeline, sampling: SamplingParameters) -> list[Exhibit]:
    """Draw held-out examples of every task."""
    rng = np.random.default_rng(_SEED)
    cells = pipeline.default_size.width // CELL
    examples = [sample_example(rng, task, "held_out", cells=cells) for task in Task for _ in range(PER_TASK)]
    questions = [Question(example, _SEED + number) for number, example in enumerate(examples)]
    report = SectionReport()
    report.show(examples, EngineGenerator(pipeline, sampling).generate(questions), len(examples))
    return report.exhibits


def draw_prompts(
    pipeline: LocalPipeline, sampling: SamplingParameters, prompts: Sequence[str]
) -> list[Exhibit]:
    """Draw one picture per prompt, in the model's default size."""
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
    """Draw with the model in a folder and save the sheet as PNG. prompts: drawn instead of scenes."""
    pipeline = LocalPipeline.load(model, adapter=adapter)
    sampling = SamplingParameters(seed=_SEED, guidance_scale=pipeline.loaded.default_guidance_scale)
    exhibits = draw_prompts(pipeline, sampling, prompts) if prompts else draw_scenes(pipeline, sampling)
    out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(exhibits).save(out)


def write_run_sheet(model: Path, run: Path, prompts: Sequence[str], movqgan_run: Path | None = None) -> Path:
    """Draw with the averaged weights of a run's last checkpoint; returns the path of the sheet.

    movqgan_run: a run of `training.movqgan` whose image tokenizer replaces the one in `model`.
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
    """The lines of a text file that are not empty; an empty list without a file. Raises BadRecordError."""
    lines = [] if file is None else read_text(file).split("\n")
    return [line.strip() for line in lines if line.strip()]


@click.command(cls=TrainingProgram)
@click.option("--model", type=FOLDER_THERE, required=True)
@click.option("--adapter", metavar="NAME", help="LoRA adapter: a name in MODEL/adapters, or a folder.")
@click.option("--prompts", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="One per line.")
@click.option("--threads", type=THREADS, default=2, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="PNG file.")
def main(*, model: Path, adapter: str | None, prompts: Path | None, threads: int, out: Path) -> None:
    """Draw a sheet of sample pictures."""
    torch.set_num_threads(threads)
    check_writable(out.parent)
    lines = read_prompts(prompts)
    write_sheet(model, out, prompts=lines, adapter=adapter)
    click.echo(str(out))


if __name__ == "__main__":
    main()
