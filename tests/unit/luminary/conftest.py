"""The command line in this process, and one model folder for all tests."""

import sys
from pathlib import Path

import pytest

from luminary.cli import main
from tests.support.command_line import Run
from tests.support.models.model_folder import write_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def luminary(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `luminary` with the given arguments; returns the exit status."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["luminary", *map(str, arguments)])
        try:
            main()
        except SystemExit as leaving:
            return int(leaving.code or 0)
        return 0

    return run
