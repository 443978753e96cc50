"""The document of every refusal, and what the OpenAPI document says of it.

It is an RFC 9457 problem that also holds the `error` object of OpenAI's interface, so that clients of either
kind read it.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from services.api.problems import PROBLEMS, FieldError, Problem, ProblemCode

MEDIA_TYPE = "application/problem+json"
SCHEMA = {"$ref": "#/components/schemas/ProblemDocument"}
EXAMPLE_URL = "http://127.0.0.1:8000"
EXAMPLE_REQUEST = "0f9d1c2b4e6a4f0e8d7c6b5a49382716"
INVALID_EXAMPLE: dict[str, Any] = {
    "type": f"{EXAMPLE_URL}/problems/invalid_request",
    "title": "Invalid request",
    "status": 422,
    "detail": "n: Input should be less than or equal to 8",
    "request_id": EXAMPLE_REQUEST,
    "errors": [
        {"param": "n", "code": "less_than_equal", "message": "Input should be less than or equal to 8"}
    ],
    "error": {
        "message": "n: Input should be less than or equal to 8",
        "type": "invalid_request_error",
        "param": "n",
        "code": "invalid_request",
    },
}


class ErrorObject(BaseModel):
    """The body that OpenAI's clients look for."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemDocument(BaseModel):
    """The body of every refusal."""

    model_config = ConfigDict(json_schema_extra={"examples": [INVALID_EXAMPLE]})

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldError]
    error: ErrorObject


def describe(problem: Problem, public_url: str, request_id: str) -> ProblemDocument:
    """The document of a refusal; its `type` is an address that explains the code."""
    return ProblemDocument(
        type=f"{public_url}/problems/{problem.code}",
        title=problem.kind.title,
        status=problem.kind.status,
        detail=problem.detail,
        request_id=request_id,
        errors=list(problem.errors),
        error=ErrorObject(
            message=problem.detail,
            type=problem.kind.error_type,
            param=problem.param,
            code=problem.code.value,
        ),
    )


def problem_responses(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the refusals of a route: by status, an example for each code."""
    by_status: dict[int, list[ProblemCode]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {status: problem_response(*together) for status, together in by_status.items()}


def problem_response(*codes: ProblemCode) -> dict[str, Any]:
    """One response that any of the codes may be the reason of."""
    return {
        "description": " ".join(f"`{code}`: {PROBLEMS[code].cause}" for code in codes),
        "content": {
            MEDIA_TYPE: {
                "schema": SCHEMA,
                "examples": {code.value: {"value": example_document(code)} for code in codes},
            }
        },
    }


def example_document(code: ProblemCode) -> dict[str, Any]:
    """A refusal with this code."""
    problem = Problem(code, PROBLEMS[code].cause)
    return describe(problem, EXAMPLE_URL, EXAMPLE_REQUEST).model_dump(mode="json")
