"""The OpenAPI document has valid examples and known problem codes, and describes the actual responses."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from services.api.jobs.examples import IMAGE, JOB_EXAMPLES
from services.api.problems.codes import ProblemCode
from services.api.problems.page import problem_page
from shared.problem_documents import MEDIA_TYPE
from tests.support.gateway.clients import Project, png
from tests.support.gateway.conformance import validate

ROOT = Path(__file__).parents[3]


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def media(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON body in the document, with its place."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for name, body in bodies.items():
                for media_type, told in body.get("content", {}).items():
                    if media_type.endswith("json"):
                        yield f"{method} {path} {name}", told


def test_every_example_is_valid_under_its_schema(document: dict[str, Any]) -> None:
    count = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            validate(document, schema, example, name)
            count += 1
    for where, told in media(document):
        for name, example in told.get("examples", {}).items():
            validate(document, told["schema"], example["value"], f"{where} {name}")
            count += 1
    assert count > 50


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    def has_example(schema: dict[str, Any]) -> bool:
        reference = schema.get("$ref", schema.get("items", {}).get("$ref", ""))
        component = document["components"]["schemas"].get(reference.rpartition("/")[2], schema)
        lists = component.get("properties", {}).get("data", {})
        return "examples" in component or (bool(lists) and has_example(lists))

    without = [
        where for where, told in media(document) if "examples" not in told and not has_example(told["schema"])
    ]
    assert without == [], "give these responses a model with an example (json_schema_extra)"


def test_every_refusal_is_told_as_a_problem_of_a_known_code(document: dict[str, Any]) -> None:
    told: set[str] = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            refusals = {
                status: response
                for status, response in operation["responses"].items()
                if status == "default" or (int(status) >= 400 and MEDIA_TYPE in response["content"])
            }
            for response in refusals.values():
                assert list(response["content"]) == [MEDIA_TYPE]
                told |= set(response["content"][MEDIA_TYPE]["examples"])
    missing = set(ProblemCode) - told
    assert not missing, f"name {missing} in the problem_responses(...) of the routes that give it"
    assert told == set(ProblemCode)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_code_is_met_by_a_test() -> None:
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    met = {name for name in ProblemCode.__members__ if f"ProblemCode.{name}" in tests}
    untested = set(ProblemCode.__members__) - met
    assert not untested, f"write a test in tests/integration/api that meets {untested}"


def test_the_page_of_problems_is_the_table() -> None:
    page = (ROOT / "docs/problems.md").read_text()
    assert page == problem_page(), "docs/problems.md is not that of the code: run `make pages`"


def test_operations_have_short_names(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


@pytest.mark.parametrize("name", JOB_EXAMPLES)
def test_every_example_of_a_job_is_accepted(alice: Project, name: str) -> None:
    example = dict(cast("dict[str, Any]", JOB_EXAMPLES[name].get("value")))
    if example.get("image") == IMAGE:
        example["image"] = alice.upload(png()).json()["id"]
    assert alice.post("/v1/jobs", json=example).status_code == 202


def test_the_document_tells_of_examples_refusals_and_the_key(document: dict[str, Any]) -> None:
    submit = document["paths"]["/v1/jobs"]["post"]
    assert set(submit["requestBody"]["content"]["application/json"]["examples"]) == set(JOB_EXAMPLES)
    assert {"202", "200", "401", "409", "422", "429", "503"} <= set(submit["responses"])
    assert submit["security"] == [{"HTTPBearer": []}]
    upload = document["paths"]["/v1/images"]["post"]["requestBody"]["content"]
    assert set(upload) == {"multipart/form-data", "application/json"}
