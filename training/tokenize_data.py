"""Turn your own pictures and words into sequences: `python -m training.tokenize_data --help`.

Everything is checked before the first picture is encoded, and training itself meets nothing but numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path

import click
import torch

from luminary.local.pipeline import find_image_tokenizer
from services.tokenizer.image_codec import encode_pixels, pixels_from_image
from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import default_size
from training.data.requests import complete_sequence, read_vocabulary
from training.data.sequences import SequenceStore, TrainingSequence
from training.data.user_data import BadDataError, BadRecordError, Record, UserExample, read_records
from training.data.user_pictures import Fit, SequenceLimits, check_example, panel_request, read_panels
from training.devices import choose_device

_PACKED = 256
"""Sequences that are packed together; as Python objects they take ten times the memory."""


class OnBad(StrEnum):
    """What becomes of a data set with bad records."""

    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True)
class CheckedData:
    """records: those that are good, with their examples. faults: what is wrong with each of the others."""

    records: list[tuple[Record, list[UserExample]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def check_records(records: Sequence[Record], fit: Fit, limits: SequenceLimits) -> CheckedData:
    """Read every record and decode every picture, as encoding will."""
    checked = CheckedData()
    with click.progressbar(records, label="checking") as bar:
        for record in bar:
            try:
                examples = record.examples()
                for example in examples:
                    check_example(example, fit, limits)
            except BadRecordError as error:
                checked.faults.append(f"{record.name}: {error}")
            else:
                checked.records.append((record, examples))
    return checked


def tokenize_example(
    example: UserExample, fit: Fit, limits: SequenceLimits, movqgan: MoVQGAN
) -> TrainingSequence:
    """Encode the panels and lay them out. Raises BadRecordError for a picture that has changed since."""
    panels = read_panels(example, fit)
    codes = [encode_pixels(movqgan, pixels_from_image(panel))[0].tokens for panel in panels]
    given = codes.pop(0) if example.asked.task.takes_image else None
    request = panel_request(example, panels[0].size, given)
    drawn = [code for panel in codes for code in panel]
    return complete_sequence(limits.vocabulary, limits.text_tokenizer, request, drawn)


def encode_records(
    checked: CheckedData, fit: Fit, limits: SequenceLimits, movqgan: MoVQGAN
) -> Iterator[TrainingSequence]:
    """The sequences of all good records, in order; a fault that appears only now joins the others."""
    with click.progressbar(checked.records, label="encoding") as bar:
        for record, examples in bar:
            try:
                yield from [tokenize_example(example, fit, limits, movqgan) for example in examples]
            except BadRecordError as error:
                checked.faults.append(f"{record.name}: {error}")


def tokenize_data(
    model: Path, data: Path, out: Path, *, fit: Fit | None, on_bad: OnBad, most: int | None, device: str
) -> SequenceStore:
    """Write the sequences of a data set for the model of a folder; each bad record is named on stderr.

    fit: as in `Fit`; None takes the model's own size. most: tokens of a sequence; None is what the model
    was made for.
    Raises ClickException for a data set that is refused: unreadable, without a good record, or, with
    OnBad.REFUSE, with a bad one.
    """
    vocabulary, text_tokenizer = read_vocabulary(model)
    limits = SequenceLimits(
        vocabulary, text_tokenizer, most or ModelConfig.from_folder(model).max_position_embeddings
    )
    own_size = default_size(model)
    fit = fit or (own_size.width, own_size.height)
    try:
        records = read_records(data)
    except (OSError, BadDataError) as error:
        raise click.ClickException(str(error)) from error
    checked = check_records(records, fit, limits)
    _report(checked, len(records), on_bad)

    movqgan = load_movqgan(find_image_tokenizer(model)).to(choose_device(device))
    known = len(checked.faults)
    stores = list(_packed(encode_records(checked, fit, limits, movqgan), vocabulary.size))
    for fault in checked.faults[known:]:
        click.echo(fault, err=True)
    if not stores or (on_bad is OnBad.REFUSE and len(checked.faults) > known):
        raise click.ClickException("nothing was written: pictures changed while they were encoded")
    store = SequenceStore.join(stores)
    store.save(out)
    return store


def _packed(sequences: Iterator[TrainingSequence], vocabulary_size: int) -> Iterator[SequenceStore]:
    while chunk := list(islice(sequences, _PACKED)):
        yield SequenceStore.of(chunk, vocabulary_size)


def _report(checked: CheckedData, records: int, on_bad: OnBad) -> None:
    for fault in checked.faults:
        click.echo(fault, err=True)
    bad = f"{len(checked.faults)} of {records} records are bad"
    if not checked.records or (checked.faults and on_bad is OnBad.REFUSE):
        hint = ", use --on-bad skip to leave them out" if checked.records else ""
        raise click.ClickException(f"nothing was written: {bad}{hint}")
    if checked.faults:
        click.echo(f"{bad} and left out", err=True)


class _FitType(click.ParamType[Fit]):
    """Reads "768" or "768x512"."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fit:
        width, times, height = str(value).partition("x")
        sides = [int(side) for side in (width, height) if side.isdecimal()]
        if len(sides) != (2 if times else 1) or any(side < 32 or side % 32 for side in sides):
            self.fail(f"{value!r} is not a size in multiples of 32 pixels, like 768 or 768x512", param, ctx)
        return (sides[0], sides[1]) if times else sides[0]


@click.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="JSON file of conversations, or a folder of pictures with .txt captions.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option(
    "--size",
    "fit",
    type=_FitType(),
    help="Of a panel: WxH exactly, or the side of a square whose area fits every shape. "
    "The model's own without it.",
)
@click.option(
    "--on-bad",
    type=click.Choice([*map(str, OnBad)]),
    default="refuse",
    show_default=True,
    help="Bad records.",
)
@click.option("--max-tokens", type=click.IntRange(min=8), help="Longer sequences are bad.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def main(
    *,
    model: Path,
    data: Path,
    out: Path,
    fit: Fit | None,
    on_bad: str,
    max_tokens: int | None,
    threads: int,
    device: str,
) -> None:
    """Check a data set, encode its pictures and write its sequences."""
    torch.set_num_threads(threads)
    store = tokenize_data(model, data, out, fit=fit, on_bad=OnBad(on_bad), most=max_tokens, device=device)
    click.echo(f"{len(store)} sequences, {len(store.tokens)} tokens")


if __name__ == "__main__":
    main()
