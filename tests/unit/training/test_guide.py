"""Every command in TRAIN.md can be called as it is written there."""

import shlex
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import click
import pytest

TEXT = (Path(__file__).parents[3] / "TRAIN.md").read_text(encoding="utf-8")
BLOCKS = [block for block in TEXT.split("```")[1::2] if block.startswith("\n")]
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line]


def test_the_guide_has_commands_of_every_program() -> None:
    text = "\n".join(COMMANDS)
    programs = (Path(__file__).parents[3] / "training").glob("*.py")
    runnable = [file.stem for file in programs if '__name__ == "__main__"' in file.read_text()]
    named = [name for name in runnable if f"training.{name}" in text]
    # `make train-smoke` and `--samples-every` run the other two
    assert set(runnable) - set(named) == {"smoke", "samples"}


@pytest.mark.parametrize("line", COMMANDS)
def test_its_options_exist_and_its_values_are_valid(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = shlex.split(line)
    monkeypatch.chdir(tmp_path)
    if words[0] == "luminary":
        module, words = "luminary.local.generate_command", words[2:]
    else:
        place = next(place for place, word in enumerate(words) if word.startswith("training."))
        module, words = words[place], words[place + 1 :]
    program = import_module(module)
    if hasattr(program, "__path__"):
        program = import_module(f"{module}.__main__")
    command: click.Command = getattr(program, "main", None) or program.command
    if isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    for word, following in pairwise(words):
        if word.startswith("--") and "/" in following:
            path = tmp_path / following
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.touch()
            else:
                path.mkdir(exist_ok=True)
    for name in ("photos", "prompts.txt"):
        if name in words:
            (tmp_path / name).touch()
    if "photos" in words:
        (tmp_path / "photos").unlink()
        (tmp_path / "photos").mkdir()
    with command.make_context(module, words) as context:
        assert context.params
