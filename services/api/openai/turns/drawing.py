"""What a conversation wants drawn, as the request of a turn or of a new session."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.api.openai.images.requests import PictureFields
from services.api.openai.images.translate import job_request
from services.api.openai.wire.model_names import ChosenModel
from services.api.problems.codes import Problem, ProblemCode
from services.api.problems.validation import validation_problem

LONGEST_TITLE = 200

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Drawing:
    """An instruction with fields of a job; `fields` has no null and neither prompt nor picture."""

    prompt: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def title(self) -> str:
        """Title of a session that begins with it: the start of the instruction, in one line."""
        return " ".join(self.prompt[: 2 * LONGEST_TITLE].split())[:LONGEST_TITLE]

    def request(self, model: type[Model], **more: Any) -> Model:
        """The request of a turn or a session. Raises Problem that names the faulty field."""
        try:
            return model.model_validate({**self.fields, "prompt": self.prompt, **more})
        except ValidationError as error:
            raise validation_problem(error.errors(include_url=False, include_input=False), model) from error


def drawing_of(asked: PictureFields, chosen: ChosenModel, **given: str) -> Drawing:
    """The drawing that OpenAI's fields ask for. Raises Problem.

    given: `image`, the source of the picture that is edited, and `mask`; no image for a picture from words.
    """
    if asked.background == "transparent":
        detail = (
            "background: A conversation draws opaque pictures; POST /openai/v1/images/edits cuts them out."
        )
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="background")
    job = job_request(asked, chosen, **given)
    named = {name: getattr(job, name) for name in job.model_fields_set - {"prompt", "image"}}
    return Drawing(job.prompt or "", {name: value for name, value in named.items() if value is not None})
