"""Check all files of a model folder without reading the weights, so that faults are reported within a second.

The headers of the weight files show whether a file is truncated and whether a weight is missing or has a
wrong shape.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from services.worker.engine.errors import CheckpointError, ImageSizeError
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.loading.checkpoint import Checkpoint, open_checkpoint
from services.worker.engine.model.config import ModelConfig

Value = TypeVar("Value")

GENERATION_FILE = "generation_config.json"


@dataclass(frozen=True)
class ModelFolder:
    """A model folder that has been checked.

    default_size, default_guidance_scale: recommendations of generation_config.json.
    """

    config: ModelConfig
    text_tokenizer: TextTokenizer
    vocabulary: Vocabulary
    checkpoint: Checkpoint
    default_size: PictureSize
    default_guidance_scale: float


def check_model_folder(folder: Path) -> ModelFolder:
    """Read all files of a decoder, but only the headers of its weights.

    Raises CheckpointError for incomplete or damaged files, VocabularyError for a tokenizer of another family.
    """
    config = ModelConfig.from_folder(folder)
    text_tokenizer = TextTokenizer.from_folder(folder)
    vocabulary = Vocabulary.from_names(
        text_tokenizer.token_ids, begin_name=text_tokenizer.begin_name, size=config.vocab_size
    )
    return ModelFolder(
        config=config,
        text_tokenizer=text_tokenizer,
        vocabulary=vocabulary,
        checkpoint=open_checkpoint(folder, config),
        default_size=default_size(folder),
        default_guidance_scale=default_guidance_scale(folder),
    )


def default_size(folder: Path) -> PictureSize:
    """`image_size` of generation_config.json, "WxH"; the default is the public model's 768x768."""
    return recommended(folder, "image_size", "768x768", PictureSize.parse)


def default_guidance_scale(folder: Path) -> float:
    """`guidance_scale` of generation_config.json; the default is the public model's 4."""
    return recommended(folder, "guidance_scale", 4.0, float)


def recommended(folder: Path, name: str, otherwise: object, parse: Callable[[Any], Value]) -> Value:
    """An entry of generation_config.json, or a default. Raises CheckpointError if it cannot be parsed."""
    value = generation_settings(folder).get(name)
    try:
        return parse(otherwise if value is None else value)
    except (ValueError, TypeError, AttributeError, ImageSizeError) as error:
        raise CheckpointError(f"{folder / GENERATION_FILE} has {name} {value!r}: {error}") from error


def generation_settings(folder: Path) -> dict[str, object]:
    """Read generation_config.json; empty if the folder has none. Raises CheckpointError."""
    file = folder / GENERATION_FILE
    if not file.is_file():
        return {}
    try:
        document: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{file} is not a JSON object")
    return cast("dict[str, object]", document)
