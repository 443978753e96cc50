"""`luminary generate` keeps pictures: nothing is written over, and --out is checked before anything loads."""

from pathlib import Path
from typing import Any, cast

import pytest

from luminary.local.pipeline import LocalPipeline, Picture
from luminary.output_files import OutputPlace, slug
from tests.support.command_line import Run, parameters

Captured = pytest.CaptureFixture[str]


def call(model: object, prompt: str, seed: int, *more: object) -> list[object]:
    return ["generate", "--model", model, "--prompt", prompt, "--size", "32x32", "--seed", seed, *more]


def test_another_prompt_with_the_same_seed_has_a_file_of_its_own(
    luminary: Run, model: Path, tmp_path: Path
) -> None:
    """Found: both were luminary-7-0.png, and the second replaced the first. Right: two files."""
    for prompt in ("a red ball", "a blue star"):
        assert luminary(*call(model, prompt, 7, "--out", tmp_path)) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a-blue-star-7-0.png", "a-red-ball-7-0.png"]


def test_a_taken_name_makes_way_for_the_next_free_one(
    luminary: Run, model: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Found: another temperature replaced the picture. Right: the older file keeps its bytes."""
    assert luminary(*call(model, "a ball", 7, "--out", tmp_path)) == 0
    first = (tmp_path / "a-ball-7-0.png").read_bytes()
    for temperature in (0, 0.5):
        assert luminary(*call(model, "a ball", 7, "--temperature", temperature, "--out", tmp_path)) == 0
    assert (tmp_path / "a-ball-7-0.png").read_bytes() == first
    assert parameters(tmp_path / "a-ball-7-0_2.png")["temperature"] == 0
    assert parameters(tmp_path / "a-ball-7-0_3.png")["temperature"] == 0.5
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "a-ball-7-0_3.png")


def test_an_asked_file_is_replaced_only_when_that_is_asked_too(
    luminary: Run, model: Path, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "boat.png"
    file.write_bytes(b"precious")
    assert luminary(*call(model, "a boat", 1, "--out", file)) == 2
    assert "exists; use --overwrite" in capsys.readouterr().err
    assert file.read_bytes() == b"precious"
    assert luminary(*call(model, "a boat", 1, "--out", file, "--overwrite")) == 0
    assert parameters(file)["prompt"] == "a boat"
    assert [path.name for path in tmp_path.iterdir()] == ["boat.png"]


def test_several_pictures_in_an_asked_file_are_numbered(luminary: Run, model: Path, tmp_path: Path) -> None:
    assert luminary(*call(model, "a boat", 1, "-n", 2, "--out", tmp_path / "boat.png")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boat-0.png", "boat-1.png"]


@pytest.mark.parametrize(
    ("out", "cause"),
    [
        ("file/pictures", "cannot be written to"),
        ("file", "is a file"),
        ("boat.jpg", "pictures are written as PNG"),
        ("absent/boat.png", "there is no folder"),
        ("folder.png", "is a folder"),
        ("locked", "cannot be written to"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_model_loads(
    *,
    luminary: Run,
    model: Path,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    cause: str,
) -> None:
    """Found: 48 pictures were drawn in three minutes, then lost to an --out that was a file.

    Right: one line at once.
    """
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "locked").symlink_to("/proc/absent")
    monkeypatch.setattr(
        "luminary.local.pipeline.LocalPipeline.load", lambda *_, **__: pytest.fail("the model was loaded")
    )
    assert luminary(*call(model, "a boat", 1, "-n", 48, "--out", tmp_path / out)) == 2
    line = capsys.readouterr().err
    assert cause in line
    assert line.count("\n") == 1


def test_pictures_whose_folder_fails_in_the_end_are_kept_elsewhere(
    luminary: Run, model: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: drawn pictures were lost with a traceback. Right: they are saved and their place is named."""
    out, refuge = tmp_path / "out", tmp_path / "refuge"
    refuge.mkdir()
    draw = LocalPipeline.draw

    def draw_then_lose_the_folder(*args: Any, **named: Any) -> list[Picture]:
        pictures = draw(*args, **named)
        out.rmdir()
        out.touch()
        return pictures

    monkeypatch.setattr(LocalPipeline, "draw", draw_then_lose_the_folder)
    monkeypatch.setattr("tempfile.tempdir", str(refuge))
    assert luminary(*call(model, "a boat", 1, "-n", 2, "--out", out)) == 1
    saved = sorted(refuge.glob("luminary-*/*.png"))
    assert [file.name for file in saved] == ["a-boat-1-0.png", "a-boat-1-1.png"]
    assert str(saved[0].parent) in capsys.readouterr().err


def test_a_seed_of_minus_one_chooses_one_and_says_which(
    luminary: Run, model: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Found: -1 was taken for a seed, so that two random pictures were the same. Right: chosen and shown."""
    for _ in range(2):
        assert luminary(*call(model, "a boat", -1, "--out", tmp_path)) == 0
    told = [int(line.removeprefix("seed ")) for line in capsys.readouterr().err.splitlines()]
    assert sorted(cast("int", parameters(file)["seed"]) for file in tmp_path.iterdir()) == sorted(told)
    assert len(set(told)) == 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A red, RED boat!", "a-red-red-boat"),
        ("../../etc/passwd", "etc-passwd"),
        ("ein Käfer 甲\n", "ein-käfer-甲"),
        ("", "picture"),
        ("甲" * 400, "甲" * 26),
    ],
)
def test_a_name_says_what_the_picture_shows_and_is_a_name_on_every_disk(text: str, name: str) -> None:
    assert slug(text) == name


@pytest.mark.parametrize("out", ["runs/v1.5", "out", "out/", "new.png/"])
def test_other_names_are_folders(out: str) -> None:
    assert OutputPlace.parse(out, overwrite=False).file is None
