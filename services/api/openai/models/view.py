"""Models in OpenAI's form; pure functions."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.api.models.repository import models_of
from services.api.openai.wire.model_names import Alias
from shared.tables import WorkerRow

EXAMPLE: dict[str, Any] = {
    "id": "gpt-image-1",
    "object": "model",
    "created": 1767268800,
    "owned_by": "luminary",
    "root": "tiny",
}


class OpenAIModel(BaseModel):
    """A model, or a name that stands for one."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra={"examples": [EXAMPLE]})

    id: str
    object: Literal["model"] = "model"
    created: int
    """Unix time in seconds at which its oldest running worker started."""
    owned_by: Literal["luminary"] = "luminary"
    root: str
    """The model that draws: for an alias of any model, that of the oldest worker."""


class OpenAIModelList(BaseModel):
    """The models that can draw now."""

    object: Literal["list"] = "list"
    data: list[OpenAIModel]


def list_models(workers: Iterable[WorkerRow], given: Sequence[Alias]) -> OpenAIModelList:
    """The models of the workers, and the names of the aliases whose model a worker has."""
    own = [
        OpenAIModel(id=model.id, created=model.created, root=model.id) for model in models_of(workers).data
    ]
    by_name = {model.id: model for model in own}
    shown = {model.id for model in own}
    for alias in given:
        target = own[0] if alias.model is None and own else by_name.get(alias.model or "")
        new = [name for name in alias.names if name not in shown] if target is not None else []
        if target is not None:
            own += [OpenAIModel(id=name, created=target.created, root=target.id) for name in new]
        shown.update(new)
    return OpenAIModelList(data=own)
