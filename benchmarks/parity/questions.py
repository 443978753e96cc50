"""Read the reference's question back into the request that it stands for."""

import re

from services.worker.engine.prompts import PictureRequest
from services.worker.engine.tasks import MapKind, PictureSize, Task
from services.worker.engine.vocabulary import Vocabulary

SINGLE = re.compile(r"Generate an image of (\d+)x(\d+) according to the following prompt:\n(.*)", re.DOTALL)
DUAL = re.compile(
    r"Generate a dual-panel image of (\d+)x(\d+) where the <(upper|lower) half> displays a <([^>]*)>, "
    r"[^\n]*:\n(.*)",
    re.DOTALL,
)


class UnknownQuestionError(Exception):
    """The text follows none of the reference's templates."""


def request_of(vocabulary: Vocabulary, question: str, ids: list[int]) -> PictureRequest:
    """The request behind a question.

    ids: what the reference handed to its model; the image codes in it are the given panel.
    Raises UnknownQuestionError.
    """
    given = tuple(vocabulary.code_of_token(token) for token in ids if vocabulary.is_image_token(token))
    if match := SINGLE.fullmatch(question):
        width, height, prompt = match.groups()
        return PictureRequest(Task.TEXT_TO_IMAGE, prompt, PictureSize(int(width), int(height)))
    match = DUAL.fullmatch(question)
    if match is None:
        raise UnknownQuestionError(f"no template fits {question!r}")
    width, height, displaying, shown, prompt = match.groups()
    kind = next((kind for kind in MapKind if kind.phrase == shown), None)
    panel = PictureSize(int(width), int(height) // 2) if given else PictureSize(int(width), int(height))
    if displaying == "upper":
        if kind is None:
            return PictureRequest(Task.SUBJECT, prompt, panel, subject=shown, given_codes=given)
        return PictureRequest(Task.CONTROL, prompt, panel, map=kind, given_codes=given)
    if not given:
        return PictureRequest(Task.IMAGE_PAIR, prompt, panel, map=kind)
    task = Task.EDIT if kind is None else Task.DENSE
    return PictureRequest(task, prompt, panel, map=kind, given_codes=given)
