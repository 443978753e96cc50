"""From an example of the scene world to the sequence that the model is trained on.

The engine lays out the request, so training sees exactly the tokens that generation does.
"""

from collections.abc import Sequence
from pathlib import Path

from services.worker.engine.config import ModelConfig
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.sequence_plan import plan_sequence
from services.worker.engine.tasks import MapKind, PictureSize, Task
from services.worker.engine.text_tokenizer import TextTokenizer
from services.worker.engine.vocabulary import Vocabulary
from training.data.sequences import TrainingSequence
from training.scenes import TrainingExample


def read_vocabulary(model: Path) -> tuple[Vocabulary, TextTokenizer]:
    """What lays out the sequences of a model folder. Raises EngineError for a folder that is none."""
    text_tokenizer = TextTokenizer.from_folder(model)
    size = ModelConfig.from_folder(model).vocab_size
    names = text_tokenizer.token_ids
    return Vocabulary.from_names(names, begin_name=text_tokenizer.begin_name, size=size), text_tokenizer


def request_of(example: TrainingExample, given_codes: tuple[int, ...] | None) -> PictureRequest:
    """The example in the engine's words. given_codes: of the upper panel, where the task takes one."""
    height, width = example.result.shape[:2]
    panels = 1 if example.partner is None else 2
    shown = example.control or example.target
    return PictureRequest(
        task=Task(example.task),
        prompt=example.prompt,
        size=PictureSize(width, height * panels),
        map=None if shown is None else MapKind.parse(shown),
        given_codes=given_codes,
    )


def complete_sequence(
    vocabulary: Vocabulary,
    text_tokenizer: TextTokenizer,
    request: PictureRequest,
    result_codes: Sequence[int],
) -> TrainingSequence:
    """The request's sequence with the result in place.

    result_codes: of all cells that the model draws, row by row. Raises ValueError for a wrong number.
    """
    plan = plan_sequence(vocabulary, text_tokenizer, request)
    free = plan.free_positions
    if len(result_codes) != len(free):
        raise ValueError(f"the result has {len(result_codes)} codes, the sequence draws {len(free)}")
    drawn = iter(result_codes)
    tokens = tuple(vocabulary.token_of_code(next(drawn)) if token is None else token for token in plan.tokens)
    return TrainingSequence(tokens, plan.image_start, free[0])
