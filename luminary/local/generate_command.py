"""`luminary generate`: draw pictures in this process and save them as PNG."""

import logging
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from luminary.local.pipeline import LocalPipeline, Picture
    from services.worker.engine.prompts import PictureRequest
    from services.worker.engine.sampling import SamplingParameters


@dataclass(frozen=True)
class Options:
    """The command's options, by their names on the command line."""

    model: Path
    adapter: str | None
    task: str
    prompt: str
    size: str | None
    image: Path | None
    control: str | None
    target: str | None
    subject: str | None
    cfg: float | None
    guidance: str
    top_k: int
    top_p: float
    temperature: float
    seed: int | None
    count: int
    speculative: bool
    dtype: str
    quant: str
    device: str
    whole: bool
    out: Path


TASKS = ("t2i", "pair", "subject", "control", "edit", "dense")
MAPS = ("depth", "canny", "hed", "pose", "segmentation", "edges")


@click.command("generate")
@click.option("--model", required=True, type=click.Path(path_type=Path), help="Model folder.")
@click.option("--adapter", metavar="NAME", help="LoRA adapter: a name in MODEL/adapters, or a folder.")
@click.option("--task", default="t2i", show_default=True, type=click.Choice(TASKS), help="What to draw.")
@click.option("--prompt", default="", help="What the picture shows; for edits the instruction.")
@click.option("--size", default=None, metavar="WxH", help="Size of the result in pixels, multiples of 32.")
@click.option("--image", type=click.Path(path_type=Path), help="The given picture; most tasks take one.")
@click.option("--control", type=click.Choice(MAPS), help="What the given map is (task control, pair).")
@click.option("--target", type=click.Choice(MAPS), help="Which map to draw (task dense).")
@click.option("--subject", help="Describes the given subject (task subject).")
@click.option("--cfg", type=float, help="Classifier-free guidance scale; 1 is off. [default: the model's]")
@click.option(
    "--guidance", default="constant", show_default=True, help="How the scale changes: constant, or reference."
)
@click.option("--top-k", default=4096, show_default=True, help="Draw among the k likeliest; 0 is all.")
@click.option("--top-p", default=1.0, show_default=True, help="Draw among the likeliest of this mass.")
@click.option("--temperature", default=1.0, show_default=True, help="0 is greedy.")
@click.option("--seed", type=int, help="Same seed, same picture. Without it one is chosen and told.")
@click.option(
    "-n", "--n", "count", default=1, show_default=True, type=click.IntRange(1, 64), help="Pictures."
)
@click.option("--speculative/--no-speculative", default=True, show_default=True, help="Verify drafts.")
@click.option("--dtype", default="auto", show_default=True, help="auto, fp32, bf16 or fp16.")
@click.option("--quant", default="none", show_default=True, help="int8, nf4 or none.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 and the like.")
@click.option("--whole", is_flag=True, help="Save the given panel above the result, too.")
@click.option(
    "--out", default=Path("out"), show_default=True, type=click.Path(path_type=Path), help="Folder."
)
def command(**options: Any) -> None:
    """Draw pictures with a model folder, without a server.

    \b
    luminary generate --model models/tiny --prompt "a red ball" --size 64x64 --seed 7
    luminary generate --model models/tiny --task edit --image out/luminary-7-0.png --prompt "make it blue"
    """
    from services.tokenizer.movqgan import MoVQGANError
    from services.tokenizer.preprocessing import ImageError
    from services.worker.engine.errors import EngineError

    asked = Options(**options)
    try:
        draft, sampling, image = _draft(asked), _sampling(asked), _image(asked)
        pipeline = _load(asked)
        if asked.cfg is None:
            sampling = replace(sampling, guidance_scale=pipeline.loaded.default_guidance_scale)
        request = _request(pipeline, draft, asked, image)
        save(_draw(pipeline, request, sampling, asked), request, sampling, pipeline, asked.out)
    except (EngineError, MoVQGANError, ImageError, OSError) as error:
        raise click.UsageError(" ".join(str(error).split())) from error


def _draft(asked: Options) -> "PictureRequest":
    """The request without what only the model knows: its own size, and the codes of the given picture.

    Loading takes long; what is wrong with a request should be said before.
    """
    from services.worker.engine.prompts import PictureRequest
    from services.worker.engine.tasks import MapKind, PictureSize, Task
    from services.worker.engine.vocabulary import GRID_PIXELS

    map_name = asked.control or asked.target
    return PictureRequest(
        task=Task.parse(asked.task),
        prompt=asked.prompt,
        size=PictureSize.parse(asked.size) if asked.size else PictureSize(GRID_PIXELS, GRID_PIXELS),
        map=MapKind.parse(map_name) if map_name else None,
        subject=asked.subject,
        given_codes=() if asked.image else None,
    )


def _image(asked: Options) -> bytes | None:
    if asked.image is None:
        return None
    if not asked.image.is_file():
        raise FileNotFoundError(f"there is no picture {asked.image}")
    return asked.image.read_bytes()


def _load(asked: Options) -> "LocalPipeline":
    from luminary.local.pipeline import LocalPipeline
    from services.worker.engine.auto_precision import choose_device, choose_precision
    from services.worker.engine.config import ModelConfig

    # Its remark that an optional CPU kernel is absent would stand between the progress bar and the result.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if not asked.model.is_dir():
        raise FileNotFoundError(f"there is no model folder {asked.model}")
    device = choose_device(asked.device)
    precision = choose_precision(ModelConfig.from_folder(asked.model), asked.dtype, asked.quant, device)
    return LocalPipeline.load(asked.model, precision, device=device, adapter=asked.adapter)


def _request(
    pipeline: "LocalPipeline", draft: "PictureRequest", asked: Options, image: bytes | None
) -> "PictureRequest":
    size = draft.size if asked.size else pipeline.default_size
    codes = None if image is None else pipeline.encode(image, size)
    return replace(draft, size=size, given_codes=codes)


def _sampling(asked: Options) -> "SamplingParameters":
    from services.worker.engine.sampling import SamplingParameters

    return SamplingParameters(
        guidance_scale=SamplingParameters.guidance_scale if asked.cfg is None else asked.cfg,
        guidance_schedule=asked.guidance,
        top_k=asked.top_k or None,
        top_p=asked.top_p,
        temperature=asked.temperature,
        seed=secrets.randbelow(2**31) if asked.seed is None else asked.seed,
    )


def _draw(
    pipeline: "LocalPipeline", request: "PictureRequest", sampling: "SamplingParameters", asked: Options
) -> "list[Picture]":
    from luminary.local.progress import ProgressBar

    with ProgressBar() as bar:
        return pipeline.draw(
            request,
            sampling,
            count=asked.count,
            speculative=asked.speculative,
            whole=asked.whole,
            watch=bar.update,
        )


def save(
    pictures: "list[Picture]",
    request: "PictureRequest",
    sampling: "SamplingParameters",
    pipeline: "LocalPipeline",
    folder: Path,
) -> None:
    """Write each picture as PNG, its parameters in text chunks, and print its path."""
    from services.tokenizer.image_codec import write_png

    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        path = folder / f"luminary-{sampling.seed}-{picture.index}.png"
        path.write_bytes(write_png(picture.image, pipeline.describe(picture, request, sampling)))
        click.echo(str(path))
