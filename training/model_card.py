"""List the scene world's words in a model's card: `python -m training.model_card --model DIR`.

The platform warns of words in prompts that a model's card does not list. Run it for a model that was trained
on the scene world alone.
"""

from pathlib import Path
from typing import Final

import click
import yaml

from services.worker.model.card import FENCE, read_metadata
from training.program import FOLDER_THERE, TrainingProgram
from training.scenes.vocabulary import known_words

CARD: Final = "MODEL_CARD.md"


def with_known_words(card: str, metadata: dict[str, object]) -> str:
    """The text of a card with new metadata at its top."""
    parts = card.split(f"{FENCE}\n", 2) if card.startswith(f"{FENCE}\n") else ["", "", card]
    head = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, default_flow_style=None, width=118)
    return f"{FENCE}\n{head}{FENCE}\n{parts[2]}"


@click.command(cls=TrainingProgram)
@click.option("--model", type=FOLDER_THERE, required=True)
def main(*, model: Path) -> None:
    """Write the words of the scene world into the card of a model folder."""
    card = model / CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    words = [str(word) for word in known_words()]
    card.write_text(with_known_words(text, {**read_metadata(card), "knows": words}), encoding="utf-8")
    click.echo(f"{card}: {len(words)} words")


if __name__ == "__main__":
    main()
