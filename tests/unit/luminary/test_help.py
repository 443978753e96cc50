"""`luminary --help` answers at once: it names every command and imports none."""

import json
import subprocess
import sys

import pytest

from luminary.cli import COMMANDS
from tests.support.command_line import Run

IMPORTED = """
import json, sys
from luminary.cli import main
sys.argv = ["luminary", *{arguments}]
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
HEAVY = {"torch", "numpy", "PIL", "rich", "pydantic", "sqlalchemy", "celery", "services", "infra"}


@pytest.mark.parametrize("arguments", [["--help"], [], ["--version"], ["generat"]])
def test_the_program_alone_imports_nothing_heavy(arguments: list[str]):
    script = IMPORTED.format(arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(ended.stderr.splitlines()[-1]))


def test_help_of_generate_does_not_import_torch():
    script = IMPORTED.format(arguments=["generate", "--help"])
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "--prompt" in ended.stdout
    assert "torch" not in json.loads(ended.stderr.splitlines()[-1])


def test_help_names_every_command(luminary: Run, capsys: pytest.CaptureFixture[str]):
    assert luminary("--help") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_summary_is_the_first_sentence_of_the_command_s_own_help(name: str):
    assert (COMMANDS[name].load().help or "").split("\n")[0] == COMMANDS[name].summary


def test_no_command_shows_the_help_on_stderr(luminary: Run, capsys: pytest.CaptureFixture[str]):
    assert luminary() == 2
    assert capsys.readouterr().err.startswith("Usage:")


@pytest.mark.parametrize("arguments", [["nope"], ["--nope"], ["generate"], ["generate", "--nope"]])
def test_a_wrong_call_is_one_line_and_status_two(
    luminary: Run, capsys: pytest.CaptureFixture[str], arguments: list[str]
):
    assert luminary(*arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_package_that_is_missing_is_named_in_one_line(
    luminary: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "infra.local.commands", None)
    assert luminary("status") == 1
    assert capsys.readouterr().err.count("\n") == 1
