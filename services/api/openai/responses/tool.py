"""Options of the tool `image_generation` as fields of a picture, and the model that draws it."""

from enum import StrEnum
from typing import Any

from services.api.openai.images.requests import PictureFields
from services.api.openai.wire.fields import validated
from services.api.openai.wire.model_names import ChosenModel, choose_model
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway

PARAM = "tools.0"
NOT_OF_A_PICTURE = {"type", "model", "action", "input_image_mask", "n"}


class Action(StrEnum):
    """What the tool does with the picture of the conversation."""

    AUTO = "auto"
    """Edit it if there is one, otherwise draw a new one."""
    GENERATE = "generate"
    EDIT = "edit"


def action_of(tool: dict[str, Any]) -> Action:
    """The action. Raises Problem for one that is not known."""
    given = tool.get("action") or Action.AUTO
    if given not in set(Action):
        detail = f"{PARAM}.action: Send `auto`, `generate` or `edit`."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=f"{PARAM}.action")
    return Action(given)


def picture_fields(tool: dict[str, Any], prompt: str) -> PictureFields:
    """The fields of the picture; options that only OpenAI knows are ignored. Raises Problem."""
    options = {name: value for name, value in tool.items() if name not in NOT_OF_A_PICTURE}
    return validated(PictureFields, {**options, "prompt": prompt})


def mask_of(tool: dict[str, Any]) -> str | None:
    """The address or the id of the mask, if there is one. Raises Problem for a mask without both."""
    given = tool.get("input_image_mask")
    if given is None:
        return None
    source = (given.get("image_url") or given.get("file_id")) if isinstance(given, dict) else None
    if not isinstance(source, str):
        param = f"{PARAM}.input_image_mask"
        raise Problem(ProblemCode.INVALID_REQUEST, f"{param}: Send `image_url` or `file_id`.", param=param)
    return source


async def model_of(gateway: Gateway, tool: dict[str, Any], language_model: str | None) -> ChosenModel:
    """The model that draws. Raises Problem for a name in the tool that no worker has.

    language_model: the name in the request, which draws if a worker has it.
    """
    named = tool.get("model")
    if isinstance(named, str):
        return await choose_model(gateway, named)
    try:
        return await choose_model(gateway, language_model)
    except Problem as problem:
        if problem.code != ProblemCode.MODEL_NOT_FOUND:
            raise
    return await choose_model(gateway, None)
