"""The pictures that a client wants, whether it waits for them, streams them or orders them in a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.api.auth.api_keys import Caller
from services.api.openai.images.requests import PictureFields
from shared.schemas.job_response import JobWarning

Kind = Literal["image_generation", "image_edit"]
"""What the events of a stream are called."""


@dataclass(frozen=True)
class Wanted:
    """A request for pictures. warnings: besides those of its job."""

    caller: Caller
    kind: Kind
    fields: PictureFields
    warnings: Sequence[JobWarning] = ()
