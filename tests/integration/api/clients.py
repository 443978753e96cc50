"""How tests call the gateway: a project with its key, and what every refusal must look like."""

import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from PIL import Image
from starlette.testclient import TestClient

from services.api.problem_documents import ProblemDocument
from services.api.problems import PROBLEMS, ProblemCode

NO_BROKER = "redis://127.0.0.1:1/0"
"""Port 1 (tcpmux) has no server on a machine of today."""


@dataclass(frozen=True)
class Project:
    """Someone with an API key."""

    client: TestClient
    project_id: UUID
    token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The header that names the caller."""
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        """GET with the key."""
        return self.client.get(path, headers=self.authorization | (headers or {}), **more)

    def post(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        """POST with the key."""
        return self.client.post(path, headers=self.authorization | (headers or {}), **more)

    def submit(self, headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:
        """Post a job."""
        return self.post("/v1/jobs", headers, json={"prompt": "a red circle", **fields})

    def upload(self, data: bytes) -> httpx2.Response:
        """Post a picture as a form."""
        return self.post("/v1/images", files={"file": ("picture", data, "application/octet-stream")})


def assert_problem(answer: httpx2.Response, code: ProblemCode, param: str | None = None) -> ProblemDocument:
    """The answer is the documented refusal, readable for both kinds of client."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = ProblemDocument.model_validate_json(answer.content)
    kind = PROBLEMS[code]
    assert (document.error.code, answer.status_code) == (code, kind.status), answer.text
    assert (document.status, document.title, document.type) == (
        kind.status,
        kind.title,
        f"http://testserver/problems/{code}",
    )
    assert document.error.message == document.detail
    assert document.error.type == kind.error_type
    assert document.error.param == param
    assert document.request_id == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return document


def png(width: int = 48, height: int = 32) -> bytes:
    """A small picture."""
    return encoded("PNG", width, height)


def encoded(image_format: str, width: int = 48, height: int = 32, **more: Any) -> bytes:
    """A small picture in some format."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(buffer, image_format, **more)
    return buffer.getvalue()
