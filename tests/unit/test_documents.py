"""What the documents name exists: paths, tests, links, make targets; and their examples are valid."""

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.schemas.jobs import JobRequest
from tests.support.source_tree import ROOT, tracked_files

PAGES = [file for file in tracked_files(".md") if file.name != "CHANGELOG.md" and "models" not in file.parts]
FOLDERS = "services|shared|luminary|training|infra|migrations|benchmarks|tests|docs|models"
NAMED = re.compile(rf"`(?:python )?((?:{FOLDERS})/[\w./-]+)`")
MODULE = re.compile(rf"python -m ((?:{FOLDERS})[\w.]+)")
TEST_FILE = re.compile(r"`(test_\w+\.py)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SUBMISSION = re.compile(r"/v1/jobs .*?-d '(\{[^']*\})'", re.DOTALL)
MAKE_TARGET = re.compile(r"`make ([a-z-]+)")
MADE_BY_READER = re.compile(r"runs/|models/(?!tiny)|photos")
"""Folders that the guides let the reader make."""


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def names_of_test_files() -> frozenset[str]:
    return frozenset(file.name for file in (ROOT / "tests").rglob("test_*.py"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as Markdown viewers make them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_and_test_that_a_page_names_exists(page: Path) -> None:
    text = text_of(page)
    gone = [
        path for path in NAMED.findall(text) if not MADE_BY_READER.search(path) and not (ROOT / path).exists()
    ]
    gone += [name for name in TEST_FILE.findall(text) if name not in names_of_test_files()]
    for module in MODULE.findall(text):
        place = ROOT / module.rstrip(".").replace(".", "/")
        if not place.with_suffix(".py").exists() and not (place / "__main__.py").exists():
            gone.append(module)
    assert not gone, f"{named(page)} names what does not exist: {', '.join(gone)}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken: list[str] = []
    for link in LINK.findall(text_of(page)):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert not broken, f"{named(page)} has links that lead nowhere: {', '.join(broken)}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    assert set(MAKE_TARGET.findall(text_of(page))) <= targets


def test_example_requests_of_the_pages_are_valid_or_refused_as_told() -> None:
    checked = 0
    for page in PAGES:
        blocks = BLOCK.findall(text_of(page))
        for (kind, block), (_, answer) in pairwise([*blocks, ("", "")]):
            for body in SUBMISSION.findall(block) if kind in {"sh", ""} else []:
                checked += 1
                if answer.startswith("HTTP/1.1 4"):
                    with pytest.raises(ValidationError):
                        JobRequest.model_validate_json(body)
                else:
                    JobRequest.model_validate_json(body)
    assert checked >= 3
