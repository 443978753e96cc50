"""docs/api.md, the guides and docs/operations.md agree with the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from infra.local.settings_table import BEGIN, END, SECTIONS, meaning_of, settings_table
from services.api.problems.codes import ProblemCode
from shared.schemas.jobs import JobRequest
from shared.tasks import Task
from tests.support.gateway.conformance import validate

DOCS = Path(__file__).parents[3] / "docs"
SCHEMAS = {"job": "JobResponse", "image": "ImageResponse", "list": "ModelList"}


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


@pytest.fixture(scope="module")
def page() -> str:
    return "".join(page.read_text() for page in (DOCS / "api.md", *sorted((DOCS / "guides").glob("*.md"))))


def plain(text: str) -> str:
    """The text with ids, parameters and variables of a shell alike."""
    told = text.replace("$OPENAI/", "/openai/v1/")
    return re.sub(r"\b[a-z]{3}_[a-z0-9]{26}|\{[a-z_]+\}|\$\w+", "{}", told)


def test_every_answer_on_the_page_is_valid(document: dict[str, Any]) -> None:
    """Guides of other interfaces have answers of these; `tests/integration/test_guides.py` runs them."""
    pages = ("api.md", *(f"guides/{name}.md" for name in ("events", "jobs", "sessions", "webhooks")))
    page = "".join((DOCS / name).read_text() for name in pages)
    answers = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert len(answers) >= 5
    for answer in answers:
        name = SCHEMAS[answer["object"]] if "object" in answer else "ProblemDocument"
        validate(document, document["components"]["schemas"][name], answer, name)


def test_every_path_is_on_the_page(document: dict[str, Any], page: str) -> None:
    told = plain(page)
    missing = [path for path in document["paths"] if plain(path) not in told]
    assert not missing, f"docs/api.md or docs/guides: describe {missing}"


def test_every_path_on_the_page_exists(document: dict[str, Any], page: str) -> None:
    asked = re.findall(r"curl [^\n]*?\$URL(/[^\s\"?]*)", page)
    paths = (*document["paths"], "/mcp")
    patterns = [re.sub(r"\{[^}]+\}", "[^/]+", path) for path in paths]
    assert asked

    def exists(path: str) -> bool:
        if any(re.fullmatch(pattern, path) for pattern in patterns):
            return True
        shell = re.sub(r"\\\$\w+", "[^/]+", re.escape(path))
        return any(re.fullmatch(shell, known) for known in paths)

    assert [path for path in asked if not exists(path)] == []


def test_every_field_and_task_of_a_job_is_on_the_page(page: str) -> None:
    missing = {name for name in (*JobRequest.model_fields, *Task) if f"`{name}`" not in page}
    assert not missing, f"docs/api.md or docs/guides: describe {missing}"


def test_every_code_that_the_pages_name_exists() -> None:
    pages = (DOCS / "api.md", DOCS / "operations.md", *(DOCS / "guides").glob("*.md"))
    for told in pages:
        for code in re.findall(r"(?:409|410|422|503) `([a-z_]+)`", told.read_text()):
            assert code in set(ProblemCode)


def test_the_table_of_settings_is_that_of_the_code() -> None:
    page = (DOCS / "operations.md").read_text()
    table = page.partition(BEGIN)[2].partition(END)[0]
    assert table == f"\n{settings_table()}\n", (
        "docs/operations.md lacks settings of the code: run `make pages`"
    )


@pytest.mark.parametrize("part", SECTIONS.values(), ids=lambda part: part.__name__)
def test_every_setting_has_a_meaning(part: Any) -> None:
    silent = [name for name, field in part.model_fields.items() if not meaning_of(field).endswith(".")]
    assert silent == []


def test_every_variable_that_the_page_names_is_a_setting() -> None:
    page = (DOCS / "operations.md").read_text()
    known = set(re.findall(r"^\| `([A-Z_0-9]+)` \|", page, re.MULTILINE)) | {
        "DATABASE_ADMIN_URL",
        "DATABASE_OWNER_URL",
        "DATABASE_READER_URL",
        "DATABASE_SCALER_URL",
        "LUMINARY_ADMIN_KEY",
        "LUMINARY_COMPILED",
        "LUMINARY_DATA",
        "LUMINARY_FROZEN_SECONDS",
        "LUMINARY_URL",
        "MODEL_SHA256",
        "NUMBA_CACHE_DIR",
    }
    known |= {f"{name}_FILE" for name in known}
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z_0-9]+)(?:=[^`]*)?`", page))
    assert named <= known, f"docs/operations.md names no settings: {named - known}"
