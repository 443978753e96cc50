"""The model that A1111's clients see as the one that is loaded."""

from collections.abc import Sequence

from services.api.models.repository import models_of
from services.api.problems.codes import Problem, ProblemCode
from shared.tables import WorkerRow

FIELD = "sd_model_checkpoint"


def model_in_use(workers: Sequence[WorkerRow]) -> str:
    """The name of the model of the oldest worker; empty while no worker runs."""
    models = models_of(workers).data
    return models[0].id if models else ""


def check_model(name: str | None, workers: Sequence[WorkerRow]) -> None:
    """Raise Problem for the choice of another model: the platform keeps no choice between requests."""
    in_use = model_in_use(workers)
    if not name or name == in_use:
        return
    raise Problem(
        ProblemCode.INVALID_REQUEST,
        f"{FIELD}: The platform remembers no model between requests, and draws with {in_use!r} if none is "
        f"named. Name it in each request: override_settings.{FIELD}.",
        param=FIELD,
    )
