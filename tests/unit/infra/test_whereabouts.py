"""Commands find their platform from whichever folder they are called."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from infra.local.commands import logs, status
from infra.local.state import exclusive
from infra.local.whereabouts import find_folder, remember


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a working folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("LUMINARY_DATA", raising=False)
    for name in ("project/deep", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def test_what_is_named_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_folder(home / "named") == home / "named"
    monkeypatch.setenv("LUMINARY_DATA", "/by/variable")
    assert find_folder(None) == Path("/by/variable")


def test_without_any_platform_it_is_the_usual_folder() -> None:
    assert find_folder(None) == Path(".luminary")


def test_the_last_started_platform_is_found_from_anywhere(home: Path) -> None:
    """Found: `luminary status` elsewhere says that nothing runs. Right: it finds the one that does."""
    folder = home / "project" / ".luminary"
    with exclusive(folder):
        remember(folder)
        assert find_folder(None) == folder
        assert oct((home / "state" / "luminary" / "last").stat().st_mode)[-3:] == "600"


def test_a_folder_below_the_project_is_in_the_project(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home / "project" / "deep")
    with exclusive(home / "project" / ".luminary"):
        pass
    assert find_folder(None) == home / "project" / ".luminary"


def test_one_that_runs_is_preferred_to_one_that_does_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home / "project")
    with exclusive(home / "project" / ".luminary"):
        pass
    with exclusive(home / "other"):
        remember(home / "other")
        assert find_folder(None) == home / "other"
    assert find_folder(None) == home / "project" / ".luminary"


def test_a_home_that_cannot_be_written_is_no_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    remember(home / "data")
    assert find_folder(None) == Path(".luminary")


def test_status_of_nothing_ends_with_one(home: Path) -> None:
    assert CliRunner().invoke(status, ["--data", str(home / "none")]).exit_code == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wroker", "did you mean worker?"),
        ("postgre", "did you mean postgres?"),
        ("x", "there are postgres, worker"),
    ],
)
def test_a_misspelt_log_is_told_the_nearest(home: Path, name: str, words: str) -> None:
    """Found: `luminary logs wroker` shows nothing and ends with 0. Right: it names the nearest log."""
    (home / "logs").mkdir()
    for log in ("worker", "postgres"):
        (home / "logs" / f"{log}.log").write_text("a line\n")
    refused = CliRunner().invoke(logs, ["--data", str(home), name], standalone_mode=False)
    assert isinstance(refused.exception, click.UsageError)
    assert words in str(refused.exception)
