"""A client that checks every answer against the OpenAPI document: each test also tests the document."""

import re
from typing import Any, ClassVar

import httpx2
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from starlette.testclient import TestClient

BODILESS = {204, 304}


def validate(document: dict[str, Any], schema: dict[str, Any], value: Any, what: str) -> None:
    """Fail unless the value matches the schema, whose references point into the document."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    fault = best_match(validator.iter_errors(value))
    assert fault is None, f"{what}: {fault.json_path}: {fault.message}"


class DocumentedClient(TestClient):
    """Fails if an answer has a status, a media type or a body that the document does not have."""

    first_document: ClassVar[dict[str, Any] | None] = None
    """The document of the first application; it is that of all, and takes half a second to make."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(app)
        app.openapi_schema = DocumentedClient.first_document
        self.document: dict[str, Any] = app.openapi()
        """Created at once, because creating it in a thread would change the process's warning filters."""
        DocumentedClient.first_document = self.document

    def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        answer = super().send(request, **more)
        assert answer.status_code != 500, answer.text
        operation = self.operation(request.method, request.url.path)
        if operation is not None and answer.status_code not in BODILESS:
            self.check(operation, answer, f"{request.method} {request.url.path}")
        return answer

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The documented operation of a request; None if the document has none."""
        for template, operations in self.document["paths"].items():
            pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path):
                return operations.get(method.lower())
        return None

    def check(self, operation: dict[str, Any], answer: httpx2.Response, what: str) -> None:
        """Fail unless the document describes this answer."""
        documented = operation["responses"]
        response = documented.get(str(answer.status_code), documented["default"])
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in response["content"], f"{what}: {answer.status_code} {media_type}: {answer.text}"
        schema = response["content"][media_type]["schema"]
        if media_type.endswith("json"):
            validate(self.document, schema, answer.json(), f"{what} {answer.status_code}")
