"""Validate what a client has sent. Unknown fields are ignored, and null means that a field is absent."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema

from services.api.problems.validation import validation_problem

Json = dict[str, Any]
NULL = {"type": "null"}

Model = TypeVar("Model", bound=BaseModel)


class OpenAIFields(BaseModel):
    """Base of request bodies: these clients send fields that only OpenAI or other servers know."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """The schema, in which every field that may be absent may be null."""
        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        for name, field in own.get("properties", {}).items():
            if name not in own.get("required", ()) and NULL not in field.get("anyOf", ()):
                texts = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
                own["properties"][name] = {"anyOf": [field, NULL], **texts}
        return schema


def validated(model: type[Model], value: Mapping[str, Any], *, texts: bool = False) -> Model:
    """The value as the model. Raises Problem that names each faulty field.

    texts: whether numbers and booleans may be texts, as in a form.
    """
    present = {name: inner for name, inner in value.items() if inner is not None}
    try:
        return model.model_validate(present, strict=not texts)
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_input=False), model) from error
