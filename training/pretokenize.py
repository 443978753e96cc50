"""Draw scenes and write their sequences to disk: `python -m training.pretokenize --model DIR --out DIR`.

The codes are computed from the scenes, not by an encoder, so they are free of encoding errors.
`training.tokenize_data` writes sequences of your own pictures.
"""

from pathlib import Path

import click
import numpy as np

from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.tasks import Task
from training.data.requests import complete_sequence, read_vocabulary, request_of
from training.data.sequences import SequenceStore, TrainingSequence
from training.program import (
    FOLDER,
    FOLDER_THERE,
    SEED,
    TrainingProgram,
    keep_output,
    overwrite_option,
)
from training.scenes import TrainingExample, sample_example


def tokenize_example(
    example: TrainingExample, vocabulary: Vocabulary, text_tokenizer: TextTokenizer
) -> TrainingSequence:
    """The sequence of an example, with the exact codes of its panels."""
    panels = [tuple(codes.reshape(-1).tolist()) for codes in example.panel_codes]
    if example.given is None:
        drawn = [code for panel in panels for code in panel]
        return complete_sequence(vocabulary, text_tokenizer, request_of(example, None), drawn)
    given, result = panels
    return complete_sequence(vocabulary, text_tokenizer, request_of(example, given), result)


def tokenize_scenes(
    model: Path, out: Path, *, examples: int, cells: int, seed: int, task: Task | None = None
) -> SequenceStore:
    """Draw examples of the training split and write their sequences for the model in folder `model`."""
    vocabulary, text_tokenizer = read_vocabulary(model)
    rng = np.random.default_rng(seed)
    sequences: list[TrainingSequence] = []
    with click.progressbar(range(examples), label="examples") as numbers:
        for _ in numbers:
            example = sample_example(rng, task, cells=cells)
            sequences.append(tokenize_example(example, vocabulary, text_tokenizer))
    store = SequenceStore.of(sequences, vocabulary.size)
    store.save(out)
    return store


@click.command(cls=TrainingProgram)
@click.option("--model", type=FOLDER_THERE, required=True)
@click.option("--out", type=FOLDER, required=True)
@overwrite_option
@click.option("--examples", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--cells", type=click.IntRange(8, 64), default=8, show_default=True, help="Side in tokens.")
@click.option(
    "--task",
    type=click.Choice([*map(str, Task)], case_sensitive=False),
    help="Draw only this task. Default: a mixture of all.",
)
@click.option("--seed", type=SEED, default=1, show_default=True)
def main(
    *, model: Path, out: Path, overwrite: bool, examples: int, cells: int, task: str | None, seed: int
) -> None:
    """Draw scenes and write their sequences as a training set."""
    keep_output(out, overwrite=overwrite)
    only = None if task is None else Task(task)
    store = tokenize_scenes(model, out, examples=examples, cells=cells, seed=seed, task=only)
    click.echo(f"{len(store)} sequences, {len(store.tokens)} tokens")


if __name__ == "__main__":
    main()
