"""The bodies of the gateway's error responses, and their description in the OpenAPI document."""

from typing import Any

from services.api.problems.codes import PROBLEMS, Problem, ProblemCode
from shared.problem_documents import (
    EXAMPLE_REQUEST,
    EXAMPLE_URL,
    MEDIA_TYPE,
    ProblemDocument,
    problem_document,
)

SCHEMA = {"$ref": "#/components/schemas/ProblemDocument"}


def describe(problem: Problem, public_url: str, request_id: str) -> ProblemDocument:
    """The document of a problem; its `type` is the address of a page that explains the code."""
    return problem_document(
        problem.kind,
        problem.code,
        problem.detail,
        service_url=public_url,
        request_id=request_id,
        param=problem.param,
        errors=problem.errors,
    )


def problem_responses(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a route's problems: one for each status, with an example for each code."""
    by_status: dict[int, list[ProblemCode]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {status: problem_response(*together) for status, together in by_status.items()}


def problem_response(*codes: ProblemCode) -> dict[str, Any]:
    """One OpenAPI response for problems that have the same status."""
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
    """An example of the document with this code."""
    problem = Problem(code, PROBLEMS[code].cause)
    return describe(problem, EXAMPLE_URL, EXAMPLE_REQUEST).model_dump(mode="json")
