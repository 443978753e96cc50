"""Tasks and maps have one name each: the same in API, engine, command line, scene world and documents."""

import re
from pathlib import Path

import pytest

from luminary.local.generate_command import command
from luminary.local.option_types import Word
from shared.schemas import jobs
from shared.tasks import MapKind, Task
from tests.support.command_line import Run, parameters

ROOT = Path(__file__).parents[3]
OLDER_NAMES = re.compile(r"--task (t2i|pair)\b|\bcanny\b")


def words(option: str) -> set[str]:
    kind = next(parameter.type for parameter in command.params if parameter.name == option)
    assert isinstance(kind, Word)
    return set(kind.words)


def test_every_part_names_tasks_and_maps_alike() -> None:
    """Found: `canny` in one field of the API, `edges` in another, `t2i` in the command line alone."""
    assert words("task") == set(Task)
    assert words("control") == words("target") == set(MapKind)
    assert set(jobs.Target) == Task.DENSE.maps
    assert set(jobs.Control) == Task.CONTROL.maps


def test_documents_use_the_one_name() -> None:
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "models/tiny/MODEL_CARD.md"]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    guilty = [line for line in lines if OLDER_NAMES.search(line) and "still accepted" not in line]
    assert not guilty


@pytest.mark.parametrize(
    ("arguments", "task", "kind"),
    [
        (["--task", "t2i"], "text_to_image", None),
        (["--task", "TEXT-TO-IMAGE"], "text_to_image", None),
        (["--task", "pair", "--control", "canny"], "image_pair", "edges"),
        (["--task", "image_pair", "--target", "openpose"], "image_pair", "pose"),
    ],
)
def test_shorter_and_older_names_mean_the_same(
    *, luminary: Run, model: Path, tmp_path: Path, arguments: list[str], task: str, kind: str | None
) -> None:
    place = tmp_path / "a.png"
    call = ["generate", "--model", model, "--prompt", "a", "--size", "32x64", "--seed", 1, "--out", place]
    assert luminary(*call, *arguments) == 0
    assert (parameters(place)["task"], parameters(place)["map"]) == (task, kind)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (["--cfg", 3], ["--guidance-scale", 3]),
        (["--guidance", "reference"], ["--guidance-schedule", "reference"]),
        (["--quant", "int8"], ["--quantization", "int8"]),
    ],
)
def test_the_names_of_the_api_stand_beside_the_short_ones(
    luminary: Run, model: Path, tmp_path: Path, older: list[object], newer: list[object]
) -> None:
    """Found: `--guidance-scale` and `--quantization` were unknown. Right: the same bytes by either name."""
    call = ["generate", "--model", model, "--prompt", "a", "--size", "32x32", "--seed", 1, "--dtype", "fp32"]
    for name, options in (("older.png", older), ("newer.png", newer)):
        assert luminary(*call, *options, "--out", tmp_path / name) == 0
    assert (tmp_path / "older.png").read_bytes() == (tmp_path / "newer.png").read_bytes()


def test_a_request_with_the_older_name_is_answered_with_the_newer() -> None:
    fields = {"task": "control", "prompt": "a house", "image": "img_" + "0" * 26, "control": "canny"}
    assert jobs.JobRequest.model_validate(fields).model_dump()["control"] == "edges"
    schema = jobs.JobRequest.model_json_schema()["$defs"]
    assert schema["Control"]["enum"] == ["depth", "edges", "hed", "pose"]
