"""`luminary generate`: draw pictures in this process and save them as PNG."""

import logging
import secrets
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from luminary.local.option_types import FiniteRange, Ratio, Text, Word
from luminary.one_line_errors import one_line
from luminary.output_files import OutputPlace
from services.worker.engine.layout.picture_size import PictureSize
from shared.errors import LuminaryError
from shared.seeds import SEED_LIMIT
from shared.tasks import MAP_ALIASES, TASK_ALIASES, MapKind, Task

if TYPE_CHECKING:
    from luminary.local.pipeline import LocalPipeline, Picture
    from services.worker.engine.layout.prompts import PictureRequest
    from services.worker.engine.sampling.filters import SamplingParameters
    from services.worker.model.picture_sizes import TrainedSizes
    from shared.noise_keys import NoiseSecret

CHOOSE_SEED = -1
"""This seed asks for a random one, which is then printed."""
MAP_WORD = Word(sorted(MapKind), MAP_ALIASES)
SHORT_SEED_LIMIT = 1 << 31
"""Random seeds are below it: people type them again, and files are named after them."""


@dataclass(frozen=True)
class Options:
    """Values of the command's options."""

    model: Path
    adapter: str | None
    task: str
    prompt: str
    negative_prompt: str | None
    size: str | None
    aspect_ratio: str | None
    allow_untrained_size: bool
    image: Path | None
    control: str | None
    target: str | None
    subject: str | None
    guidance_scale: float | None
    guidance_schedule: str
    top_k: int
    top_p: float
    temperature: float
    seed: int
    noise_secret_file: Path | None
    n: int
    best_of: int | None
    speculative: bool
    dtype: str
    quantization: str
    device: str
    whole: bool
    out: str
    overwrite: bool


@click.command("generate")
@click.option("--model", required=True, type=click.Path(path_type=Path), help="Model folder.")
@click.option("--adapter", metavar="NAME", help="LoRA adapter: a name in MODEL/adapters, or a folder.")
@click.option("--task", default=Task.TEXT_TO_IMAGE.value, type=Word(Task, TASK_ALIASES), help="What to draw.")
@click.option(
    "--prompt", default="", type=Text(), help="Description of the picture; for an edit the instruction."
)
@click.option("--negative-prompt", type=Text(), metavar="TEXT", help="What the picture should not show.")
@click.option("--size", default=None, metavar="WxH", help="Size of the result in pixels, multiples of 32.")
@click.option(
    "--aspect-ratio", type=Ratio(), help="Such as 3:2: the model's size nearest to it, instead of --size."
)
@click.option("--allow-untrained-size", is_flag=True, help="Allow a size that the model was not trained for.")
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    help="The given picture (tasks edit, control, subject, dense).",
)
@click.option("--control", type=MAP_WORD, help="Kind of the given map (task control).")
@click.option("--target", type=MAP_WORD, help="Kind of the map to draw (tasks dense and image_pair).")
@click.option("--subject", type=Text(), help="Description of the given subject (task subject).")
@click.option(
    "--guidance-scale",
    "--cfg",
    type=FiniteRange(0),
    help="How closely the picture follows the prompt; 1 turns guidance off. [default: the model's]",
)
@click.option(
    "--guidance-schedule",
    "--guidance",
    default="constant",
    show_default=True,
    help="How the guidance scale changes while drawing: constant or reference.",
)
@click.option(
    "--top-k",
    default=4096,
    show_default=True,
    type=click.IntRange(0),
    help="Sample from the k likeliest tokens; 0 is all.",
)
@click.option(
    "--top-p",
    default=1.0,
    show_default=True,
    type=FiniteRange(0, 1, min_open=True),
    help="Sample from the likeliest tokens whose probabilities add up to this.",
)
@click.option(
    "--temperature",
    default=1.0,
    show_default=True,
    type=FiniteRange(0),
    help="Sampling temperature; 0 is greedy.",
)
@click.option(
    "--seed",
    default=CHOOSE_SEED,
    type=click.IntRange(CHOOSE_SEED, SEED_LIMIT - 1),
    help="The same seed gives the same picture. Without it, or with -1, a random seed is chosen and printed.",
)
@click.option(
    "--noise-secret-file",
    type=click.Path(path_type=Path),
    help="File with the NOISE_SECRET of an installation, whose pictures are to be drawn again.",
)
@click.option(
    "-n", "--n", default=1, show_default=True, type=click.IntRange(1, 64), help="Number of pictures."
)
@click.option(
    "--best-of",
    type=click.IntRange(1, 64),
    metavar="M",
    help="Draw M pictures and keep the N with the highest scores.",
)
@click.option(
    "--speculative/--no-speculative",
    default=True,
    show_default=True,
    help="Draft several tokens and verify them in one pass.",
)
@click.option("--dtype", default="auto", show_default=True, help="Number format: auto, fp32, bf16 or fp16.")
@click.option(
    "--quantization",
    "--quant",
    default="none",
    show_default=True,
    help="Format of quantized weights: int8, nf4 or none.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or a GPU such as cuda:1.")
@click.option("--whole", is_flag=True, help="Save the given panel above the result.")
@click.option(
    "--out",
    default="out",
    show_default=True,
    metavar="PATH",
    help="Folder for the pictures, or a .png file.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file given with --out.")
def command(**given: Any) -> None:
    """Draw pictures with a model folder, without a server.

    Files in a folder get names from prompt, seed and number, and never replace existing files.

    \b
    luminary generate --model models/tiny --prompt "a red ball" --size 64x64 --seed 7
    luminary generate --model models/tiny --task edit --image out/a-red-ball-7-0.png --prompt "make it blue"
    """
    from services.worker.engine.errors import PromptError

    options = Options(**given)
    _check_combinations(options)
    place = OutputPlace.parse(options.out, overwrite=options.overwrite)
    try:
        draft, sampling, image = _draft(options), _sampling(options), _image(options)
        _check_model(options)
        sizes = _trained_sizes(options, draft)
    except (LuminaryError, OSError) as error:
        raise click.UsageError(one_line(error)) from error
    place.prepare(options.n)
    if options.seed == CHOOSE_SEED:
        click.echo(f"seed {sampling.seed}", err=True)
    try:
        _warn_of_unknown_words(options, draft)
        pipeline = _load(options)
        if options.guidance_scale is None:
            sampling = replace(sampling, guidance_scale=pipeline.loaded.default_guidance_scale)
        _check_guidance(options, sampling)
        request = _request(pipeline, draft, sizes, image, options.aspect_ratio)
        pictures = _draw(pipeline, request, sampling, options)
        _save(place, [pipeline.png(picture, request, sampling) for picture in pictures], request, sampling)
    except PromptError as error:  # an error that depends on the loaded model's sizes or vocabulary
        raise click.UsageError(one_line(error)) from error
    except (LuminaryError, OSError) as error:
        raise click.ClickException(one_line(error)) from error


def _check_combinations(options: Options) -> None:
    """Raise UsageError for options that contradict each other."""
    if options.size is not None and options.aspect_ratio is not None:
        raise click.UsageError("give either --size or --aspect-ratio, not both")
    if options.best_of is not None and options.best_of < options.n:
        raise click.UsageError("--best-of must be at least -n")


def _warn_of_unknown_words(options: Options, draft: "PictureRequest") -> None:
    """Print a line for each text with words that the model's card does not list. An adapter may know them."""
    from services.worker.model.card import read_known_words
    from shared.known_words import unknown_words_warning

    knows = None if options.adapter else read_known_words(options.model)
    texts = {"prompt": draft.prompt, "negative_prompt": draft.negative_prompt, "subject": draft.subject}
    for param, text in texts.items():
        warning = unknown_words_warning(param, text or "", knows or ()) if knows else None
        if warning is not None:
            click.echo(f"warning: {warning['message']}", err=True)


def _check_guidance(options: Options, sampling: "SamplingParameters") -> None:
    """Raise UsageError for an option that has no effect without guidance."""
    for name, value in (("--best-of", options.best_of), ("--negative-prompt", options.negative_prompt)):
        if value is not None and sampling.guidance_scale == 1:
            raise click.UsageError(f"{name} needs guidance: give --guidance-scale above 1")


def _draft(options: Options) -> "PictureRequest":
    """The request before the model is loaded: its size may be a placeholder, and image codes are missing.

    Loading takes long, so errors in the request are reported before it.
    """
    from services.worker.engine.layout.prompts import PictureRequest
    from services.worker.engine.layout.vocabulary import GRID_PIXELS

    return PictureRequest(
        task=Task(options.task),
        prompt=options.prompt,
        size=PictureSize.parse(options.size) if options.size else PictureSize(GRID_PIXELS, GRID_PIXELS),
        map=_map(options),
        subject=options.subject,
        given_codes=() if options.image else None,
        negative_prompt=options.negative_prompt,
    )


def _map(options: Options) -> MapKind | None:
    """The kind of the given map (--control) or of the drawn one (--target; image_pair accepts both)."""
    task = Task(options.task)
    if options.control and options.target:
        raise click.UsageError(
            "--control is the kind of the given map, --target of the drawn one; a task takes only one of them"
        )
    if task is Task.CONTROL and options.target:
        raise click.UsageError(f"task '{task}' takes --control, not --target")
    if task is Task.DENSE and options.control:
        raise click.UsageError(f"task '{task}' takes --target, not --control")
    name = options.control or options.target
    return MapKind(name) if name else None


def _sampling(options: Options) -> "SamplingParameters":
    from services.worker.engine.sampling.filters import SamplingParameters

    return SamplingParameters(
        guidance_scale=(
            SamplingParameters.guidance_scale if options.guidance_scale is None else options.guidance_scale
        ),
        guidance_schedule=options.guidance_schedule,
        top_k=options.top_k or None,
        top_p=options.top_p,
        temperature=options.temperature,
        seed=_random_seed(options) if options.seed == CHOOSE_SEED else options.seed,
    )


def _random_seed(options: Options) -> int:
    """A random seed; with a noise secret one that the detector of the watermark tries."""
    from shared.noise_keys import WATERMARK_SEEDS

    return secrets.randbelow(WATERMARK_SEEDS if options.noise_secret_file else SHORT_SEED_LIMIT)


def _image(options: Options) -> bytes | None:
    """The bytes of the given picture, after a check that they can be decoded. Raises ImageError."""
    from luminary.local.pipeline import check_image

    if options.image is None:
        return None
    if not options.image.is_file():
        raise FileNotFoundError(f"there is no picture {options.image}")
    data = options.image.read_bytes()
    check_image(data)
    return data


def _check_model(options: Options) -> None:
    """Check model folder, adapter, device and precision. Raises FileNotFoundError or EngineError."""
    from services.worker.engine.kernels.precision import DTYPES, Precision
    from services.worker.engine.loading.adapters import find_adapter
    from services.worker.engine.loading.auto_precision import choose_device

    if not options.model.is_dir():
        raise FileNotFoundError(f"there is no model folder {options.model}")
    Precision.parse(next(iter(DTYPES)) if options.dtype == "auto" else options.dtype, options.quantization)
    choose_device(options.device)
    if options.adapter is not None:
        find_adapter(options.model, options.adapter)


def _load(options: Options) -> "LocalPipeline":
    from luminary.local.pipeline import LocalPipeline
    from services.worker.engine.loading.auto_precision import choose_device, choose_precision, remark_on_speed
    from services.worker.engine.model.config import ModelConfig

    # bitsandbytes logs a warning about a missing optional CPU kernel, which would break the progress bar
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    device = choose_device(options.device)
    precision = choose_precision(
        ModelConfig.from_folder(options.model), options.dtype, options.quantization, device
    )
    if remark := remark_on_speed(precision, device):
        click.echo(f"luminary: {remark}", err=True)
    return LocalPipeline.load(
        options.model,
        precision,
        device=device,
        adapter=options.adapter,
        noise_secret=_noise_secret(options.noise_secret_file),
    )


def _noise_secret(file: Path | None) -> "NoiseSecret | None":
    """The secret in a file. Raises UsageError if it cannot be read or is too short."""
    from shared.noise_keys import NoiseSecret

    try:
        return None if file is None else NoiseSecret.from_text(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--noise-secret-file {file}: {error}") from error


def _trained_sizes(options: Options, draft: "PictureRequest") -> "TrainedSizes | None":
    """The model's trained sizes if --size is not given; otherwise check --size and return None."""
    from services.worker.engine.errors import CheckpointError
    from services.worker.model.picture_sizes import read_trained_sizes

    try:
        sizes = read_trained_sizes(options.model)
    except CheckpointError as error:
        raise click.ClickException(one_line(error)) from error
    if options.size is None:
        return sizes
    if not options.allow_untrained_size:
        sizes.check(draft.task, draft.size)
    return None


def _chosen_size(
    sizes: "TrainedSizes", task: "Task", image: bytes | None, ratio: str | None
) -> "PictureSize":
    """The trained size nearest to the aspect ratio, or the one that fits the given picture best.

    Without either it is the model's default size.
    """
    from luminary.local.pipeline import MAX_INPUT_PIXELS
    from shared.pictures.opening import inspect_picture

    if ratio is not None:
        return sizes.nearest(task, ratio)
    if image is None:
        return sizes.default(task)
    facts = inspect_picture(image, MAX_INPUT_PIXELS)
    return sizes.best_panel(facts.width, facts.height)


def _request(
    pipeline: "LocalPipeline",
    draft: "PictureRequest",
    sizes: "TrainedSizes | None",
    image: bytes | None,
    ratio: str | None,
) -> "PictureRequest":
    size = draft.size if sizes is None else _chosen_size(sizes, draft.task, image, ratio)
    codes = None if image is None else pipeline.encode(image, size)
    return replace(draft, size=size, given_codes=codes)


def _draw(
    pipeline: "LocalPipeline", request: "PictureRequest", sampling: "SamplingParameters", options: Options
) -> "list[Picture]":
    from luminary.local.progress import ProgressBar

    with ProgressBar() as bar:
        pictures = pipeline.draw(
            request,
            sampling,
            count=options.best_of or options.n,
            speculative=options.speculative,
            whole=options.whole,
            watch=bar.update,
        )
    if options.best_of is None:
        return pictures
    return sorted(pictures, key=lambda picture: -picture.score)[: options.n]


def _save(
    place: OutputPlace, pngs: list[bytes], request: "PictureRequest", sampling: "SamplingParameters"
) -> None:
    """Write the pictures and print their paths; if that fails, write them to a temporary folder."""
    label = request.prompt if request.prompt.strip() else f"{request.task} {request.map or ''}"
    try:
        paths = place.write(pngs, label, sampling.seed)
    except OSError as error:
        rescue = OutputPlace(Path(tempfile.mkdtemp(prefix="luminary-")), None, overwrite=False)
        rescue.write(pngs, label, sampling.seed)
        raise click.ClickException(
            f"{place.folder} cannot be written to ({error.strerror}); the pictures are in {rescue.folder}"
        ) from error
    for path in paths:
        click.echo(str(path))
