"""ARCHITECTURE.md names every room, contracts order them, and the trip of a job leads through real code."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TRIP = PAGE[PAGE.index("## The trip") : PAGE.index("## Rooms")]
HOPS = re.findall(r"`([a-z_/]+\.py)`((?:: |, )(?:`\w+`(?:, )?)+)?", TRIP)


def rooms() -> list[str]:
    """Packages of the services, shared code and the command line, as paths."""
    return sorted(
        str(file.parent.relative_to(ROOT))
        for folder in ("services", "shared", "luminary")
        for file in (ROOT / folder).rglob("__init__.py")
        if file.parent != ROOT / "services"
    )


def contracts() -> list[dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(settings["tool"]["importlinter"]["contracts"])


@pytest.mark.parametrize("room", rooms())
def test_the_page_names_every_room(room: str) -> None:
    assert f"`{room}`" in PAGE, f"ARCHITECTURE.md, section Rooms: add a row for `{room}`"


@pytest.mark.parametrize("room", rooms())
def test_every_room_says_what_it_is_for(room: str) -> None:
    tree = ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{room}/__init__.py: add a docstring that says what belongs in here"


def test_every_room_of_a_service_stands_in_a_contract() -> None:
    """Contracts are exhaustive: a new room has to be placed. This keeps the containers complete."""
    ordered = {container for contract in contracts() for container in contract.get("containers", [])}
    assert {
        "services.api",
        "services.worker",
        "services.worker.engine",
        "services.tokenizer",
        "shared",
    } <= ordered
    assert all(contract.get("exhaustive") for contract in contracts() if "containers" in contract)


def test_the_trip_of_a_job_leads_through_code_that_exists() -> None:
    assert len(HOPS) > 15
    for file, names in HOPS:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        defined = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        }
        missing = set(re.findall(r"`(\w+)`", names)) - defined
        assert not missing, f"ARCHITECTURE.md: {file} defines no {', '.join(sorted(missing))}"
