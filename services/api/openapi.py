"""The OpenAPI document of FastAPI, completed with schemas and examples that it leaves out."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.constants import REF_TEMPLATE
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from services.api.audit.schemas import AuditLogEntry
from services.api.events.schemas import EventBody, PartialBody, ProgressBody
from services.api.images.schemas import ImageResponse
from services.api.openai.batches.schemas import BatchRequest, BatchResponse
from services.api.openai.chat.answers import ChatCompletion
from services.api.openai.chat.requests import ChatRequest
from services.api.openai.files.schemas import FileResponse
from services.api.openai.images.requests import EditRequest, GenerationRequest
from services.api.openai.responses.conversations import ConversationChange, ConversationRequest
from services.api.openai.responses.objects import ResponseObject
from services.api.openai.responses.requests import ResponseRequest
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import example_document, problem_response
from services.api.projects.key_schemas import ApiKeyResponse, ApiKeyWithSecret
from services.api.projects.schemas import ProjectResponse
from services.api.sdapi.requests import ImageToImage, Options, TextToImage
from services.api.sdapi.responses import Progress, SdModel
from services.api.sessions.requests import (
    HeadChange,
    SessionChange,
    SessionRequest,
    TurnChange,
    TurnRequest,
)
from services.api.sessions.responses import HeadResponse, SessionList, SessionResponse, TurnResponse
from services.api.usage.schemas import UsageReport
from services.api.webhooks.delivery_schemas import DeliveryDetails, DeliveryResponse, RedeliveryResponse
from services.api.webhooks.schemas import (
    WebhookEndpointResponse,
    WebhookEndpointWithSecret,
    WebhookSecret,
)
from shared.problem_documents import MEDIA_TYPE, ProblemDocument
from shared.schemas.job_response import JobResponse
from shared.schemas.jobs import JobRequest

ANY_ROUTE = (
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.METHOD_NOT_ALLOWED,
    ProblemCode.REQUEST_TIMEOUT,
    ProblemCode.TOO_MANY_REQUESTS,
    ProblemCode.GATEWAY_BUSY,
    ProblemCode.INTERNAL_ERROR,
)
"""Problems that every path may answer."""
REFUSALS: dict[int | str, dict[str, Any]] = {"default": problem_response(*ANY_ROUTE)}
"""Because of the key `default`, FastAPI does not add its own 422 response to every route."""
BODIES: tuple[type[BaseModel], ...] = (
    JobRequest,
    SessionRequest,
    SessionChange,
    TurnRequest,
    TurnChange,
    HeadChange,
    GenerationRequest,
    TextToImage,
    ImageToImage,
    Options,
    ChatRequest,
    ResponseRequest,
    ConversationRequest,
    ConversationChange,
    EditRequest,
    BatchRequest,
)
"""Request bodies that the gateway reads itself, so that FastAPI does not know them."""
WITH_NULLS: tuple[type[BaseModel], ...] = (
    JobResponse,
    ImageResponse,
    SessionResponse,
    SessionList,
    TurnResponse,
    HeadResponse,
    WebhookEndpointResponse,
    WebhookEndpointWithSecret,
    WebhookSecret,
    DeliveryResponse,
    DeliveryDetails,
    RedeliveryResponse,
    EventBody,
    Progress,
    SdModel,
    ChatCompletion,
    ResponseObject,
    ProjectResponse,
    ApiKeyResponse,
    ApiKeyWithSecret,
    AuditLogEntry,
    UsageReport,
    FileResponse,
    BatchResponse,
)
"""Models whose examples contain null, which FastAPI drops from the document."""


def describe_api(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, made on the first call."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        schemas |= schemas_of(ProblemDocument, "serialization")
        for body in BODIES:
            schemas |= schemas_of(body, "validation")
        for sent in (EventBody, ProgressBody, PartialBody):
            schemas |= schemas_of(sent, "serialization")
        for model in WITH_NULLS:
            schemas[model.__name__]["examples"] = model.model_json_schema()["examples"]
        for parameter in parameters(document):
            parameter["schema"] = without_null(parameter["schema"])
        for examples in problem_examples(document):
            examples |= {code: {"value": example_document(ProblemCode(code))} for code in examples}
        app.openapi_schema = document
    return app.openapi_schema


def schemas_of(model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """JSON schemas of a model and its parts, by component name, for models that no route declares."""
    schema = model.model_json_schema(mode=mode, ref_template=REF_TEMPLATE)
    return {**schema.pop("$defs", {}), model.__name__: schema}


def parameters(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parameters of all operations in the document."""
    for operations in document["paths"].values():
        for operation in operations.values():
            yield from operation.get("parameters", [])


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that may be left out: its text is never null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return rest | choices[0]


def problem_examples(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The examples of each error response in the document, by problem code."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                if content := response.get("content", {}).get(MEDIA_TYPE):
                    yield content["examples"]
