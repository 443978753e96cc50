"""What the wheel holds."""

from pathlib import Path
from zipfile import ZipFile

from tests.support.environments import ROOT

PACKAGES = ("services", "shared", "training", "luminary", "infra", "migrations")


def test_the_wheel_holds_every_module_and_what_alembic_reads(wheel: Path) -> None:
    """Found: it lacked the migrations. Right: it holds them, with Alembic's configuration and template."""
    sources = {str(file.relative_to(ROOT)) for package in PACKAGES for file in (ROOT / package).rglob("*.py")}
    held = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == sources | {"migrations/alembic.ini", "migrations/script.py.mako"}
