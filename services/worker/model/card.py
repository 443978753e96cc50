"""Metadata of a model's card: YAML between two lines of dashes at the top of README.md or MODEL_CARD.md."""

from pathlib import Path
from typing import Any, Final, cast

import yaml

from services.worker.engine.errors import CheckpointError

CARDS: Final = ("README.md", "MODEL_CARD.md")
"""File names of a card, in the order of the search."""
FENCE: Final = "---"


def read_known_words(folder: Path) -> list[str] | None:
    """The words that a model was trained on, as its card lists them in `knows`; None if no card does.

    Raises CheckpointError for metadata that cannot be read, or for an entry that is no list of words.
    """
    for name in CARDS:
        knows = read_metadata(folder / name).get("knows")
        if knows is None:
            continue
        words = cast("list[Any]", knows) if isinstance(knows, list) else []
        # YAML reads words such as `no` and `on` as truth values unless they are quoted
        if not words or not all(isinstance(word, str) and word for word in words):
            raise CheckpointError(
                f"{folder / name}: knows must be a list of words; quote `yes`, `no`, `on`, `off`"
            )
        return [str(word) for word in words]
    return None


def read_metadata(card: Path) -> dict[str, Any]:
    """The metadata of a card; empty without one. Raises CheckpointError if it is no mapping in YAML."""
    if not card.is_file():
        return {}
    try:
        lines = card.read_text(encoding="utf-8").splitlines()
        if not lines or lines[0].rstrip() != FENCE:
            return {}
        end = next(row for row, line in enumerate(lines) if row and line.rstrip() == FENCE)
        metadata: Any = yaml.safe_load("\n".join(lines[1:end]))
    except (OSError, UnicodeDecodeError, StopIteration, yaml.YAMLError) as error:
        raise CheckpointError(f"the metadata of {card} cannot be read") from error
    if not isinstance(metadata, dict):
        raise CheckpointError(f"the metadata of {card} is no mapping")
    return cast("dict[str, Any]", metadata)
