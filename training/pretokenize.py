"""Turn scenes into sequences on disk: `python -m training.pretokenize --model DIR --out DIR`.

`training.tokenize_data` does the same with pictures and words of your own.

Pictures become codes once, before training, in large batches.
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch

from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from services.worker.engine.text_tokenizer import TextTokenizer
from services.worker.engine.vocabulary import Vocabulary
from training.data.requests import complete_sequence, read_vocabulary, request_of
from training.data.sequences import SequenceStore, TrainingSequence
from training.scenes import Picture, Task, TrainingExample, sample_example
from training.tokenizer.pictures import to_pixels

CHUNK = 128
"""Examples whose pictures are encoded together."""

Codes = tuple[int, ...]


def encode_pictures(movqgan: MoVQGAN, pictures: list[Picture]) -> list[Codes]:
    """The codes of pictures of one size, row by row."""
    with torch.no_grad():
        latents = movqgan.encode_latents(to_pixels(np.stack(pictures)))
        grids = movqgan.quantize.nearest_codes(latents)
    return [tuple(codes) for codes in grids.flatten(1).tolist()]


def tokenize_examples(
    examples: list[TrainingExample],
    movqgan: MoVQGAN,
    vocabulary: Vocabulary,
    text_tokenizer: TextTokenizer,
) -> Iterator[TrainingSequence]:
    """The sequence of every example, all of one size."""
    codes = iter(encode_pictures(movqgan, [panel for example in examples for panel in example.panels]))
    for example in examples:
        panels = [next(codes) for _ in example.panels]
        if example.given is None:
            request = request_of(example, None)
            drawn = [code for panel in panels for code in panel]
        else:
            request = request_of(example, panels[0])
            drawn = list(panels[1])
        yield complete_sequence(vocabulary, text_tokenizer, request, drawn)


def tokenize_scenes(
    model: Path, out: Path, *, examples: int, cells: int, seed: int, task: Task | None = None
) -> SequenceStore:
    """Draw examples of the training split and write their sequences for the model of a folder."""
    vocabulary, text_tokenizer = read_vocabulary(model)
    movqgan = load_movqgan(model / "movqgan")
    rng = np.random.default_rng(seed)
    sequences: list[TrainingSequence] = []
    with click.progressbar(range(0, examples, CHUNK), label="examples") as firsts:
        for first in firsts:
            count = min(CHUNK, examples - first)
            chunk = [sample_example(rng, task, cells=cells) for _ in range(count)]
            sequences.extend(tokenize_examples(chunk, movqgan, vocabulary, text_tokenizer))
    store = SequenceStore.of(sequences, vocabulary.size)
    store.save(out)
    return store


@click.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--examples", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--cells", type=click.IntRange(min=8), default=8, show_default=True, help="Tokens a side.")
@click.option(
    "--task",
    type=click.Choice([*map(str, Task)], case_sensitive=False),
    help="Only this task, instead of the mixture.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def main(
    *, model: Path, out: Path, examples: int, cells: int, task: str | None, seed: int, threads: int
) -> None:
    """Write the sequences of a training set."""
    torch.set_num_threads(threads)
    only = None if task is None else Task(task)
    store = tokenize_scenes(model, out, examples=examples, cells=cells, seed=seed, task=only)
    click.echo(f"{len(store)} sequences, {len(store.tokens)} tokens")


if __name__ == "__main__":
    main()
