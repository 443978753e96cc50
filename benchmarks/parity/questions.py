"""Parse the reference's prompt text, its "question", back into a request."""

import re

from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import MAP_PHRASES, PictureRequest
from services.worker.engine.layout.vocabulary import Vocabulary
from shared.errors import LuminaryError
from shared.tasks import Task

SINGLE = re.compile(r"Generate an image of (\d+)x(\d+) according to the following prompt:\n(.*)", re.DOTALL)
DUAL = re.compile(
    r"Generate a dual-panel image of (\d+)x(\d+) where the <(upper|lower) half> displays a <([^>]*)>, "
    r"[^\n]*:\n(.*)",
    re.DOTALL,
)


class UnknownQuestionError(LuminaryError):
    """The text matches none of the reference's templates."""

    code = "question_unknown"
    hint = "Record the fixture with a prompt of the reference's own templates."


def request_of(vocabulary: Vocabulary, question: str, ids: list[int]) -> PictureRequest:
    """Parse a question into a request. Raises UnknownQuestionError.

    ids: the input tokens of the reference's model; image codes in them are the given panel.
    """
    given = tuple(vocabulary.code_of_token(token) for token in ids if vocabulary.is_image_token(token))
    if match := SINGLE.fullmatch(question):
        width, height, prompt = match.groups()
        return PictureRequest(Task.TEXT_TO_IMAGE, prompt, PictureSize(int(width), int(height)))
    match = DUAL.fullmatch(question)
    if match is None:
        raise UnknownQuestionError(f"no template matches {question!r}")
    width, height, displaying, shown, prompt = match.groups()
    kind = next((kind for kind, phrase in MAP_PHRASES.items() if phrase == shown), None)
    panel = PictureSize(int(width), int(height) // 2) if given else PictureSize(int(width), int(height))
    if displaying == "upper":
        if kind is None:
            return PictureRequest(Task.SUBJECT, prompt, panel, subject=shown, given_codes=given)
        return PictureRequest(Task.CONTROL, prompt, panel, map=kind, given_codes=given)
    if not given:
        return PictureRequest(Task.IMAGE_PAIR, prompt, panel, map=kind)
    task = Task.EDIT if kind is None else Task.DENSE
    return PictureRequest(task, prompt, panel, map=kind, given_codes=given)
