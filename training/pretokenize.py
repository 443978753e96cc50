"""Turn scenes into sequences on disk: `python -m training.pretokenize --model DIR --out DIR`.

`training.tokenize_data` does the same with pictures and words of your own.

Codes come from the truth of the scenes, not from an encoder, so that they hold no error of one.
"""

from pathlib import Path

import click
import numpy as np

from services.worker.engine.text_tokenizer import TextTokenizer
from services.worker.engine.vocabulary import Vocabulary
from training.data.requests import complete_sequence, read_vocabulary, request_of
from training.data.sequences import SequenceStore, TrainingSequence
from training.scenes import Task, TrainingExample, sample_example


def tokenize_example(
    example: TrainingExample, vocabulary: Vocabulary, text_tokenizer: TextTokenizer
) -> TrainingSequence:
    """The sequence of an example, with the codes that are true by its making."""
    panels = [tuple(codes.reshape(-1).tolist()) for codes in example.panel_codes]
    if example.given is None:
        drawn = [code for panel in panels for code in panel]
        return complete_sequence(vocabulary, text_tokenizer, request_of(example, None), drawn)
    given, result = panels
    return complete_sequence(vocabulary, text_tokenizer, request_of(example, given), result)


def tokenize_scenes(
    model: Path, out: Path, *, examples: int, cells: int, seed: int, task: Task | None = None
) -> SequenceStore:
    """Draw examples of the training split and write their sequences for the model of a folder."""
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
def main(*, model: Path, out: Path, examples: int, cells: int, task: str | None, seed: int) -> None:
    """Write the sequences of a training set."""
    only = None if task is None else Task(task)
    store = tokenize_scenes(model, out, examples=examples, cells=cells, seed=seed, task=only)
    click.echo(f"{len(store)} sequences, {len(store.tokens)} tokens")


if __name__ == "__main__":
    main()
