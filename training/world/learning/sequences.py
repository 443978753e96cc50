"""The sequence of an example: exactly the tokens that the engine lays out, made with few operations."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest, prompt_text
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.sizes import CELLS_PER_GRID
from shared.tasks import Task
from training.world.examples import WorldExample

Tokens = NDArray[np.int32]


class Sequence(NamedTuple):
    """tokens: from the begin token to END. image_start, result_start: of START and of the drawn cells."""

    tokens: Tokens
    image_start: int
    result_start: int


@dataclass(frozen=True)
class Layout:
    """The vocabulary of a model folder. It can be sent to other processes, which read the folder again."""

    folder: Path
    vocabulary: Vocabulary

    def sequence(self, example: WorldExample) -> Sequence:
        """The sequence of an example, with the exact codes of its panels."""
        vocabulary = self.vocabulary
        text = text_tokenizer(self.folder).encode(text_of(example))
        prompt = np.array([vocabulary.begin_of_sequence, *text, vocabulary.separator], np.int32)
        given, drawn = example.given_codes, example.drawn_codes
        codes = drawn if given is None else np.concatenate([given, drawn])
        rows, columns = codes.shape
        head = np.array(
            [
                vocabulary.image_start,
                vocabulary.grid_token(rows // CELLS_PER_GRID),
                vocabulary.grid_token(columns // CELLS_PER_GRID),
            ],
            np.int32,
        )
        lines = np.full((rows, columns + 1), vocabulary.newline, np.int32)
        lines[:, :columns] = codes + vocabulary.first_image_token
        tokens = np.concatenate([prompt, head, lines.reshape(-1), [np.int32(vocabulary.image_end)]])
        first = len(prompt) + len(head) + (0 if given is None else given.shape[0] * (columns + 1))
        return Sequence(tokens, len(prompt), first)


@cache
def text_tokenizer(folder: Path) -> TextTokenizer:
    """The text tokenizer of a model folder, read once per process."""
    return TextTokenizer.from_folder(folder)


def text_of(example: WorldExample) -> str:
    """The whole prompt of an example, with the words of its task."""
    return prompt_text(request_of(example))


def request_of(example: WorldExample) -> PictureRequest:
    """The engine's request for an example, without the codes of the given panel."""
    height, width = example.canvas.pixels
    panels = 2 if example.task is Task.IMAGE_PAIR else 1
    return PictureRequest(
        task=example.task,
        prompt=example.prompt,
        size=PictureSize(width, height * panels),
        map=example.control or example.target,
        given_codes=None if example.given_scene is None else (),
    )
