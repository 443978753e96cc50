"""Turn an example of the scene world into the sequence that the model is trained on.

The engine lays out the sequence, so training sees exactly the tokens that generation uses.
"""

from collections.abc import Sequence
from pathlib import Path

from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.model.config import ModelConfig
from training.data.sequences import TrainingSequence
from training.scenes import TrainingExample


def read_vocabulary(model: Path) -> tuple[Vocabulary, TextTokenizer]:
    """Vocabulary and text tokenizer of a model folder. Raises EngineError if it is not a model folder."""
    text_tokenizer = TextTokenizer.from_folder(model)
    size = ModelConfig.from_folder(model).vocab_size
    names = text_tokenizer.token_ids
    return Vocabulary.from_names(names, begin_name=text_tokenizer.begin_name, size=size), text_tokenizer


def request_of(example: TrainingExample, given_codes: tuple[int, ...] | None) -> PictureRequest:
    """The engine's request for an example. given_codes: codes of the upper panel, if the task takes one."""
    height, width = example.result.shape[:2]
    panels = 1 if example.partner is None else 2
    return PictureRequest(
        task=example.task,
        prompt=example.prompt,
        size=PictureSize(width, height * panels),
        map=example.control or example.target,
        given_codes=given_codes,
    )


def complete_sequence(
    vocabulary: Vocabulary,
    text_tokenizer: TextTokenizer,
    request: PictureRequest,
    result_codes: Sequence[int],
) -> TrainingSequence:
    """The sequence of a request, with the result's codes filled in.

    result_codes: codes of all cells that the model draws, row by row. Raises ValueError for a wrong number.
    """
    plan = plan_sequence(vocabulary, text_tokenizer, request)
    free = plan.free_positions
    if len(result_codes) != len(free):
        raise ValueError(f"the result has {len(result_codes)} codes, the sequence needs {len(free)}")
    drawn = iter(result_codes)
    tokens = tuple(vocabulary.token_of_code(next(drawn)) if token is None else token for token in plan.tokens)
    return TrainingSequence(tokens, plan.image_start, free[0])
