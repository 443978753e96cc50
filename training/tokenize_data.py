"""Turn your own pictures and words into training sequences: `python -m training.tokenize_data --help`.

All records are checked before the first picture is encoded. Training then reads only token ids.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path

import click
import torch

from luminary.local.folder_check import find_image_tokenizer
from services.tokenizer.image_codec import encode_pixels, pixels_from_image
from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from services.worker.engine.loading.auto_precision import choose_device
from services.worker.engine.loading.model_folder import default_size
from services.worker.engine.model.config import ModelConfig
from training.data.records import Record, UserExample
from training.data.requests import complete_sequence, read_vocabulary
from training.data.sequences import SequenceStore, TrainingSequence
from training.data.tokenizer_fit import KNOWN_DB, reconstruction_db
from training.data.user_data import read_records
from training.data.user_pictures import Fit, SequenceLimits, check_example, panel_request, read_panels
from training.errors import TrainingError
from training.program import FOLDER, FOLDER_THERE, THREADS, TrainingProgram, keep_output, overwrite_option

_PACKED = 256
"""Number of sequences that are packed at a time; as Python objects they take ten times the memory."""


class OnBad(StrEnum):
    """Treatment of bad records: refuse the whole data set, or leave them out."""

    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True)
class CheckedData:
    """records: the good records with their examples. faults: one message for each bad record."""

    records: list[tuple[Record, list[UserExample]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def check_records(records: Sequence[Record], fit: Fit, limits: SequenceLimits) -> CheckedData:
    """Read every record and open its pictures, without encoding them."""
    checked = CheckedData()
    with click.progressbar(records, label="checking") as bar:
        for record in bar:
            try:
                examples = record.examples()
                for example in examples:
                    check_example(example, fit, limits)
            except TrainingError as error:
                checked.faults.append(f"{record.name}: {error}")
            else:
                checked.records.append((record, examples))
    return checked


def tokenize_example(
    example: UserExample, fit: Fit, limits: SequenceLimits, movqgan: MoVQGAN
) -> TrainingSequence:
    """Encode the panels and lay out the sequence. Raises BadRecordError if a picture is not readable now."""
    panels = read_panels(example, fit)
    codes = [encode_pixels(movqgan, pixels_from_image(panel))[0].tokens for panel in panels]
    given = codes.pop(0) if example.asked.task.takes_image else None
    request = panel_request(example, panels[0].size, given)
    drawn = [code for panel in codes for code in panel]
    return complete_sequence(limits.vocabulary, limits.text_tokenizer, request, drawn)


def encode_records(
    checked: CheckedData, fit: Fit, limits: SequenceLimits, movqgan: MoVQGAN
) -> Iterator[TrainingSequence]:
    """The sequences of all good records, in order; new faults are appended to `checked.faults`."""
    with click.progressbar(checked.records, label="encoding") as bar:
        for record, examples in bar:
            try:
                yield from [tokenize_example(example, fit, limits, movqgan) for example in examples]
            except TrainingError as error:
                checked.faults.append(f"{record.name}: {error}")


def tokenize_data(
    model: Path,
    data: Path,
    out: Path,
    *,
    fit: Fit | None,
    on_bad: OnBad,
    most: int | None,
    device: str,
    allow_unknown_pictures: bool,
) -> SequenceStore:
    """Write the sequences of a data set for the model in folder `model`; prints each bad record on stderr.

    fit: see `Fit`; None is the model's default size.
    most: maximum number of tokens in a sequence; None is the model's `max_position_embeddings`.
    Raises TrainingError if the data set has no good record or, with OnBad.REFUSE, a bad one, and unless
    allow_unknown_pictures if the image tokenizer cannot reconstruct its pictures; OSError if `data` cannot
    be read.
    """
    vocabulary, text_tokenizer = read_vocabulary(model)
    limits = SequenceLimits(
        vocabulary, text_tokenizer, most or ModelConfig.from_folder(model).max_position_embeddings
    )
    own_size = default_size(model)
    fit = fit or (own_size.width, own_size.height)
    records = read_records(data)
    checked = check_records(records, fit, limits)
    _report(checked, len(records), on_bad)

    movqgan = load_movqgan(find_image_tokenizer(model)).to(choose_device(device))
    if not allow_unknown_pictures:
        _refuse_unknown_pictures(checked, fit, movqgan)
    known = len(checked.faults)
    stores = list(_packed(encode_records(checked, fit, limits, movqgan), vocabulary.size))
    for fault in checked.faults[known:]:
        click.echo(fault, err=True)
    if not stores or (on_bad is OnBad.REFUSE and len(checked.faults) > known):
        raise TrainingError("nothing was written: pictures changed while they were encoded")
    store = SequenceStore.join(stores)
    store.save(out)
    return store


def _refuse_unknown_pictures(checked: CheckedData, fit: Fit, movqgan: MoVQGAN) -> None:
    quality = reconstruction_db(
        [example for _, examples in checked.records for example in examples], fit, movqgan
    )
    if quality < KNOWN_DB:
        raise TrainingError(
            "nothing was written: the image tokenizer cannot reconstruct these pictures: "
            f"their PSNR is {quality:.0f} dB, at least {KNOWN_DB:.0f} dB are required; use a model whose "
            "image tokenizer was trained on such pictures, or --allow-unknown-pictures"
        )


def _packed(sequences: Iterator[TrainingSequence], vocabulary_size: int) -> Iterator[SequenceStore]:
    while chunk := list(islice(sequences, _PACKED)):
        yield SequenceStore.of(chunk, vocabulary_size)


def _report(checked: CheckedData, records: int, on_bad: OnBad) -> None:
    for fault in checked.faults:
        click.echo(fault, err=True)
    bad = f"{len(checked.faults)} of {records} records are bad"
    if not checked.records or (checked.faults and on_bad is OnBad.REFUSE):
        hint = "; use --on-bad skip to leave them out" if checked.records else ""
        raise TrainingError(f"nothing was written: {bad}{hint}")
    if checked.faults:
        click.echo(f"{bad} and were left out", err=True)


class _FitType(click.ParamType[Fit]):
    """Parses "768" or "768x512"."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fit:
        width, times, height = str(value).partition("x")
        sides = [int(side) for side in (width, height) if side.isdecimal()]
        if len(sides) != (2 if times else 1) or any(side < 32 or side % 32 for side in sides):
            self.fail(f"{value!r} is not a size in multiples of 32 pixels, like 768 or 768x512", param, ctx)
        return (sides[0], sides[1]) if times else sides[0]


@click.command(cls=TrainingProgram)
@click.option("--model", type=FOLDER_THERE, required=True)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="JSON or JSON lines of conversations, or a folder of pictures with .txt captions.",
)
@click.option("--out", type=FOLDER, required=True)
@overwrite_option
@click.option(
    "--size",
    "fit",
    type=_FitType(),
    help="Size of a panel: WxH crops every picture to this size; N keeps each picture's shape at about "
    "NxN pixels. Default: the model's size.",
)
@click.option(
    "--on-bad",
    type=click.Choice([*map(str, OnBad)]),
    default="refuse",
    show_default=True,
    help="Refuse the whole data set if a record is bad, or skip bad records.",
)
@click.option(
    "--allow-unknown-pictures",
    is_flag=True,
    help="Encode the pictures even if the model's image tokenizer cannot reconstruct them.",
)
@click.option("--max-tokens", type=click.IntRange(min=8), help="A record with a longer sequence is bad.")
@click.option("--threads", type=THREADS, default=2, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def main(
    *,
    model: Path,
    data: Path,
    out: Path,
    overwrite: bool,
    fit: Fit | None,
    on_bad: str,
    allow_unknown_pictures: bool,
    max_tokens: int | None,
    threads: int,
    device: str,
) -> None:
    """Check a data set, encode its pictures and write the sequences."""
    torch.set_num_threads(threads)
    keep_output(out, overwrite=overwrite)
    store = tokenize_data(
        model,
        data,
        out,
        fit=fit,
        on_bad=OnBad(on_bad),
        most=max_tokens,
        device=device,
        allow_unknown_pictures=allow_unknown_pictures,
    )
    click.echo(f"{len(store)} sequences, {len(store.tokens)} tokens")


if __name__ == "__main__":
    main()
