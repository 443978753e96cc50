"""A client that holds every answer against the OpenAPI document: each test is also one of the document."""

import re
from typing import Any

import httpx2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from starlette.testclient import TestClient

BODILESS = 304


def validate(document: dict[str, Any], schema: dict[str, Any], value: object, what: str) -> None:
    """Fail unless the value is as the schema says, whose references lead into the document."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    fault = best_match(validator.iter_errors(value))
    assert fault is None, f"{what}: {fault.json_path}: {fault.message}"


class DocumentedClient(TestClient):
    """Fails a test whose answer has a status, a media type or a body that the document does not tell of."""

    def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        answer = super().send(request, **more)
        operation = self.operation(request.method, request.url.path)
        if operation is not None and answer.status_code != BODILESS:
            self.check(operation, answer, f"{request.method} {request.url.path}")
        return answer

    @property
    def document(self) -> dict[str, Any]:
        """The application's document."""
        return self.app.openapi()  # pyright: ignore[reportAttributeAccessIssue]

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The documented operation behind a request, if it is one."""
        for template, operations in self.document["paths"].items():
            pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path):
                return operations.get(method.lower())
        return None

    def check(self, operation: dict[str, Any], answer: httpx2.Response, what: str) -> None:
        """Fail unless the document has this answer."""
        told = operation["responses"]
        response = told.get(str(answer.status_code), told["default"])
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in response["content"], f"{what}: {answer.status_code} {media_type}: {answer.text}"
        schema = response["content"][media_type]["schema"]
        if media_type.endswith("json"):
            validate(self.document, schema, answer.json(), f"{what} {answer.status_code}")
