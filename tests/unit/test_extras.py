"""Every extra names the packages that its code imports; `make test-packaging` installs them for real."""

import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
OURS = ("services", "shared", "training", "luminary", "infra", "migrations")
CODE = {
    "api": ("services.api", "migrations"),
    "worker": ("services.worker",),
    "io": ("services.worker.maintenance", "services.worker.broker"),
    "tokenizer": ("services.tokenizer",),
    "backup": ("infra.backup",),
    "local": ("infra", "services", "migrations"),
    "generate": ("luminary.local",),
    "mcp": ("luminary.remote.mcp_bridge",),
    "train": ("training",),
}
"""The packages whose code an extra is for."""
OPTIONAL = {"api": {"c2pa"}}
"""Packages that the code does without, until a setting asks for them."""


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Who imports what, also inside functions."""
    return grimp.build_graph(
        *OURS, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def reached(imports: grimp.ImportGraph, packages: Iterable[str]) -> set[str]:
    """Packages of others that the code, and what it imports of ours, needs."""
    waiting = [module for package in packages for module in (package, *imports.find_descendants(package))]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        if module.partition(".")[0] in OURS:
            waiting += imports.find_modules_directly_imported_by(module)
    return {name for name in seen if name.partition(".")[0] not in OURS} - set(sys.stdlib_module_names)


def brought(requirements: Iterable[Requirement]) -> set[str]:
    """The distributions that an installation of these requirements brings."""
    waiting = [(requirement, extra) for requirement in requirements for extra in ("", *requirement.extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        further = required_by(extra) if name == PROJECT["name"] else map(Requirement, requires(name) or ())
        for needed in further:
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed, inner) for inner in ("", *needed.extras)]
    return {name for name, _ in seen}


def required_by(extra: str) -> list[Requirement]:
    """What pyproject.toml says."""
    return [
        Requirement(line)
        for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"].get(extra, ()))
    ]


@pytest.mark.parametrize("extra", CODE)
def test_an_extra_names_what_its_code_imports(imports: grimp.ImportGraph, extra: str) -> None:
    """Found: `tokenizer` lacked psycopg and SQLAlchemy. Right: an import of a package is in the extra."""
    there, distributions = brought(required_by(extra)), packages_distributions()
    missing = {
        name
        for name in reached(imports, CODE[extra])
        if there.isdisjoint(map(canonicalize_name, distributions.get(name, ())))
    }
    assert missing <= OPTIONAL.get(extra, set()), f"add it to the extra '{extra}' in pyproject.toml"
