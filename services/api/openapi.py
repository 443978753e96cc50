"""The OpenAPI document, completed by what the framework cannot know or leaves out."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.constants import REF_TEMPLATE
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from services.api.problem_documents import MEDIA_TYPE, ProblemDocument, example_document, problem_response
from services.api.problems import ProblemCode
from services.api.schemas import ImageResponse
from shared.schemas.job_response import JobResponse

ANY_ROUTE = (ProblemCode.INTERNAL_ERROR, ProblemCode.METHOD_NOT_ALLOWED)
"""Refusals that every path may give. With a default, the framework tells of no 422 of its own."""
REFUSALS: dict[int | str, dict[str, Any]] = {"default": problem_response(*ANY_ROUTE)}
WITH_NULLS: tuple[type[BaseModel], ...] = (JobResponse, ImageResponse)
"""Models whose examples hold null, which the framework drops from the document."""


def describe_api(app: FastAPI) -> dict[str, Any]:
    """The document of the application's routes, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        schemas |= problem_schemas()
        for model in WITH_NULLS:
            schemas[model.__name__]["examples"] = model.model_json_schema()["examples"]
        for examples in problem_examples(document):
            examples |= {code: {"value": example_document(ProblemCode(code))} for code in examples}
        app.openapi_schema = document
    return app.openapi_schema


def problem_schemas() -> dict[str, Any]:
    """The problem document and its parts as components."""
    schema = ProblemDocument.model_json_schema(mode="serialization", ref_template=REF_TEMPLATE)
    return {**schema.pop("$defs"), ProblemDocument.__name__: schema}


def problem_examples(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The examples of every refusal in the document, by code."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                if told := response.get("content", {}).get(MEDIA_TYPE):
                    yield told["examples"]
