"""`luminary draw` before and after the platform: what it asks for, what it refuses, where pictures go."""

import base64
import json
from pathlib import Path
from typing import Any

import click
import pytest

from luminary.remote.draw_command import key_of, request_of, why
from luminary.remote.platform import problem
from luminary.remote.screen import opener
from tests.support.command_line import Run

NOTHING = {
    "image": None,
    "mask": None,
    "control": None,
    "target": None,
    "size": None,
    "seed": None,
    "model": None,
}


def asked(prompt: str | None, **own: Any) -> dict[str, Any]:
    return request_of(prompt, **{"edited": None, "task": None, "count": 1, **NOTHING, **own})


def test_a_sentence_is_enough() -> None:
    assert asked("a red ball") == {"task": "text_to_image", "n": 1, "prompt": "a red ball"}


def test_an_edit_carries_its_picture(tmp_path: Path) -> None:
    file = tmp_path / "boat.jpg"
    file.write_bytes(b"\xff\xd8\xffrest")
    request = asked("make it blue", edited=file, seed=7)
    assert request["task"] == "edit"
    assert request["seed"] == 7
    assert request["image"] == "data:image/jpeg;base64," + base64.b64encode(file.read_bytes()).decode()


def test_a_map_needs_no_prompt(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    request = asked(None, task="dense", target="depth", image=tmp_path / "a.png")
    assert "prompt" not in request
    assert request["target"] == "depth"


def test_without_words_it_says_what_to_write() -> None:
    with pytest.raises(click.UsageError, match="say what to draw"):
        asked(None)


def test_an_edit_names_its_task_and_picture_once(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="leave --task and --image out"):
        asked("blue", edited=tmp_path / "a.png", task="subject")


def test_a_picture_is_shown_only_where_there_is_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert opener() is None


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_drawn(
    luminary: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert luminary("draw", "a ball", "--out", tmp_path / "file" / "out", "--data", tmp_path) == 2
    assert "cannot be written to: Not a directory" in capsys.readouterr().err


def test_without_a_platform_it_says_so(
    luminary: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert luminary("draw", "a red ball", "--data", tmp_path) == 1
    assert capsys.readouterr().err == f"Luminary does not run on {tmp_path}.\n"


def test_a_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUMINARY_API_KEY", raising=False)
    with pytest.raises(click.ClickException, match="there is no API key"):
        key_of(tmp_path)
    (tmp_path / "api_key").write_text("lum_kept\n")
    assert key_of(tmp_path) == "lum_kept"
    monkeypatch.setenv("LUMINARY_API_KEY", "lum_own")
    assert key_of(tmp_path) == "lum_own"


def test_a_problem_is_one_line_that_names_the_field() -> None:
    document = {
        "title": "Invalid request",
        "detail": "The request is not valid.",
        "errors": [{"param": "size", "message": "each side must be\na multiple of 32"}],
    }
    told = problem(422, json.dumps(document).encode())
    assert told == "The request is not valid.; size: each side must be a multiple of 32"
    assert problem(502, b"<html>") == "the platform answered 502"
    assert problem(500, b"[]") == "the platform answered 500"


def test_a_problem_whose_detail_is_its_only_fault_is_one_sentence() -> None:
    detail = "`from` has to be earlier than `to`."
    document = {
        "title": "Invalid request",
        "detail": detail,
        "errors": [{"param": "from", "message": detail}],
    }
    assert problem(400, json.dumps(document).encode()) == detail


def test_a_failed_job_says_why() -> None:
    job = {"id": "job_1", "status": "failed", "error": {"message": "No memory.", "hint": "Draw smaller."}}
    assert why(job) == "the job job_1 ended with status failed. No memory. Draw smaller."
