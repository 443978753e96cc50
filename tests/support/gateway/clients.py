"""Call the gateway as a project with its key, and check the form of problem documents."""

import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from PIL import Image
from starlette.testclient import TestClient

from services.api.problems.codes import PROBLEMS, ProblemCode
from services.api.problems.documents import ProblemDocument
from shared.field_errors import MOST_ERRORS

NO_BROKER = "redis://127.0.0.1:1/0"
"""An address without a server: no program uses port 1 (tcpmux) today."""

NO_SERVER = "http://127.0.0.1:1"


@dataclass(frozen=True)
class Project:
    """A project with an API key, as a client of the gateway."""

    client: TestClient
    project_id: UUID
    token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The header with the API key."""
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        """GET with the key."""
        return self.client.get(path, headers=self.authorization | (headers or {}), **more)

    def post(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        """POST with the key."""
        return self.client.post(path, headers=self.authorization | (headers or {}), **more)

    def patch(self, path: str, **more: Any) -> httpx2.Response:
        """PATCH with the key."""
        return self.client.patch(path, headers=self.authorization, **more)

    def delete(self, path: str) -> httpx2.Response:
        """DELETE with the key."""
        return self.client.delete(path, headers=self.authorization)

    def submit(self, headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:
        """Post a job."""
        return self.post("/v1/jobs", headers, json={"prompt": "a red circle", **fields})

    def upload(self, data: bytes) -> httpx2.Response:
        """Post a picture as a form."""
        return self.post("/v1/images", files={"file": ("picture", data, "application/octet-stream")})


UNCHECKED = "(any)"
WITHOUT_A_FIELD = {
    ProblemCode.NOT_FOUND,
    ProblemCode.METHOD_NOT_ALLOWED,
    ProblemCode.NOTHING_TO_UNDO,
    ProblemCode.NOTHING_TO_REDO,
    ProblemCode.TOO_MANY_QUEUED_JOBS,
    ProblemCode.TOO_MANY_REQUESTS,
    ProblemCode.TOO_MANY_PICTURES,
    ProblemCode.STORAGE_QUOTA_REACHED,
    ProblemCode.TOO_MANY_CHECKS,
    ProblemCode.TOO_MANY_WEBHOOK_ENDPOINTS,
    ProblemCode.WEBHOOK_ENDPOINT_DISABLED,
    ProblemCode.GATEWAY_BUSY,
    ProblemCode.DATABASE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE,
    ProblemCode.INTERNAL_ERROR,
}
"""Problems that are not caused by a part of the request; NOT_FOUND of an unknown path is one."""


def assert_problem(
    answer: httpx2.Response, code: ProblemCode, param: str | None = UNCHECKED
) -> ProblemDocument:
    """Check that the answer is this problem, in RFC 9457 and OpenAI form, and that `errors` names a field."""
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
    assert param in {UNCHECKED, document.error.param}
    assert len(document.errors) <= MOST_ERRORS
    if document.error.param is not None:
        assert document.error.param in {error.param for error in document.errors}
    else:
        assert code in WITHOUT_A_FIELD, answer.text
    assert document.request_id == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return document


RED = (200, 30, 60)


def png(width: int = 48, height: int = 32, colour: tuple[int, int, int] = RED) -> bytes:
    """A small picture as PNG."""
    return encoded("PNG", width, height, colour)


def encoded(
    image_format: str, width: int = 48, height: int = 32, colour: tuple[int, int, int] = RED, **more: Any
) -> bytes:
    """A small picture in the given format."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, image_format, **more)
    return buffer.getvalue()
