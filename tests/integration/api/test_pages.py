"""docs/api.md and docs/operations.md say what the code does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from infra.local.settings_table import BEGIN, END, SECTIONS, meaning_of, settings_table
from services.api.problems import ProblemCode
from shared.schemas.jobs import JobRequest, Task
from tests.integration.api.conformance import validate

DOCS = Path(__file__).parents[3] / "docs"
SCHEMAS = {"job": "JobResponse", "image": "ImageResponse", "list": "ModelList"}


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "api.md").read_text()


def test_every_answer_on_the_page_is_valid(document: dict[str, Any], page: str) -> None:
    answers = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert len(answers) >= 5
    for answer in answers:
        name = SCHEMAS[answer["object"]] if "object" in answer else "ProblemDocument"
        validate(document, document["components"]["schemas"][name], answer, name)


def test_every_path_is_on_the_page(document: dict[str, Any], page: str) -> None:
    told = re.sub(r"\b(job|img)_[a-z0-9]{26}", r"{\1}", page)
    for path in document["paths"]:
        wanted = path.replace("{job_id}", "{job}").replace("{image_id}", "{img}")
        assert wanted in told or path in told, path


def test_every_path_on_the_page_exists(document: dict[str, Any], page: str) -> None:
    asked = re.findall(r"curl [^\n]*?\$URL(/[^\s\"?]*)", page)
    patterns = [re.sub(r"\{[^}]+\}", "[^/]+", path) for path in document["paths"]]
    assert asked
    assert [path for path in asked if not any(re.fullmatch(pattern, path) for pattern in patterns)] == []


def test_every_field_and_task_of_a_job_is_on_the_page(page: str) -> None:
    missing = {name for name in (*JobRequest.model_fields, *Task) if f"`{name}`" not in page}
    assert missing == set()


def test_every_code_that_the_pages_name_exists() -> None:
    for name in ("api.md", "operations.md"):
        for code in re.findall(r"(?:409|422|503) `([a-z_]+)`", (DOCS / name).read_text()):
            assert code in set(ProblemCode)


def test_the_table_of_settings_is_that_of_the_code() -> None:
    page = (DOCS / "operations.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0] == f"\n{settings_table()}\n"


@pytest.mark.parametrize("part", SECTIONS.values(), ids=lambda part: part.__name__)
def test_every_setting_has_a_meaning(part: Any) -> None:
    silent = [name for name, field in part.model_fields.items() if not meaning_of(field).endswith(".")]
    assert silent == []


def test_every_variable_that_the_page_names_is_a_setting() -> None:
    page = (DOCS / "operations.md").read_text()
    known = set(re.findall(r"^\| `([A-Z_0-9]+)` \|", page, re.MULTILINE)) | {
        "LUMINARY_DATA",
        "NUMBA_CACHE_DIR",
    }
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z_0-9]+)(?:=[^`]*)?`", page))
    assert named - known == set()
