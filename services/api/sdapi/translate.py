"""Turn a request of A1111 into the request of a job; pure functions."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from services.api.jobs.admission import Offer
from services.api.jobs.nearest_size import nearest_fields
from services.api.problems.validation import validation_problem
from services.api.sdapi.requests import ImageToImage, TextToImage
from shared.schemas.fields import scheme_of
from shared.schemas.jobs import JobRequest
from shared.tasks import Task

USER_LABEL = "a1111_user"
"""Key in the job's metadata under which the user name of Basic authentication stands."""


def job_request(asked: TextToImage, user: str, offers: Sequence[Offer]) -> JobRequest:
    """The job that the request asks for. Raises Problem. offers: models of the running workers."""
    task = Task.EDIT if isinstance(asked, ImageToImage) else Task.TEXT_TO_IMAGE
    fields: dict[str, Any] = {
        "task": task,
        "prompt": asked.prompt,
        "negative_prompt": (asked.negative_prompt or "").strip() or None,
        "seed": None if asked.seed == -1 else asked.seed,
        "n": asked.batch_size * asked.n_iter,
        "guidance_scale": None if asked.cfg_scale is None else max(1.0, asked.cfg_scale),
        "model": asked.model,
        "metadata": {USER_LABEL: user},
        **{name: value for name in ("top_k", "temperature") if (value := getattr(asked, name)) is not None},
    }
    if asked.width is not None and asked.height is not None:
        fitting = [offer for offer in offers if asked.model in {None, offer.get("name")}]
        fields |= nearest_fields((asked.width, asked.height), task, fitting)
    if isinstance(asked, ImageToImage):
        mask = None if asked.mask is None else source_of(asked.mask)
        fields |= {"image": source_of(asked.init_images[0]), "mask": mask, "mask_mode": asked.mask_mode}
    try:
        return JobRequest.model_validate(fields)
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_input=False), JobRequest) from error


def source_of(picture: str) -> str:
    """The picture as the source of a job: bare base64, which has no underscore, becomes a data URL."""
    if scheme_of(picture) is not None or "_" in picture[:10]:
        return picture
    return f"data:image/png;base64,{picture}"
