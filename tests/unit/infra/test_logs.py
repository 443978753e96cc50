"""Log files: followed to their ends, kept small, shown with the names of their processes."""

from pathlib import Path

import pytest

from infra.local.logs import LogFollower, LogLine, LogPrinter
from infra.local.rotation import rotate_logs


def append(file: Path, text: str) -> None:
    with file.open("a") as log:
        log.write(text)


def test_a_follower_shows_what_is_new_and_whole(tmp_path: Path) -> None:
    worker = tmp_path / "worker.log"
    append(worker, "before\n")
    follower = LogFollower(tmp_path)
    append(worker, "one\ntw")
    append(tmp_path / "gateway.log", "new file\n")
    assert set(follower.new_lines()) == {LogLine("worker", "one"), LogLine("gateway", "new file")}
    append(worker, "o\n")
    assert list(follower.new_lines()) == [LogLine("worker", "two")]
    assert list(follower.new_lines()) == []


def test_a_follower_of_some_processes_shows_no_other(tmp_path: Path) -> None:
    for name in ("worker", "gateway"):
        append(tmp_path / f"{name}.log", "line\n")
    follower = LogFollower(tmp_path, names=["gateway"], from_start=True)
    assert list(follower.new_lines()) == [LogLine("gateway", "line")]


def test_a_full_log_is_copied_and_emptied_and_its_writer_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "worker.log"
    append(tmp_path / "small.log", "x" * 10)
    with file.open("a", buffering=1) as writer:
        for text in ("first", "second", "third", "fourth"):
            writer.write(text * 4 + "\n")
            rotate_logs(tmp_path, largest_bytes=15, kept=2)
            writer.write("after\n")
    assert file.read_text() == "after\n"
    assert (tmp_path / "worker.log.1").read_text() == "after\n" + "fourth" * 4 + "\n"
    assert (tmp_path / "worker.log.2").read_text() == "after\n" + "third" * 4 + "\n"
    assert not (tmp_path / "worker.log.3").exists()
    assert (tmp_path / "small.log").read_text() == "x" * 10


def test_a_follower_goes_on_after_a_rotation(tmp_path: Path) -> None:
    file = tmp_path / "worker.log"
    append(file, "a long line before\n")
    follower = LogFollower(tmp_path)
    rotate_logs(tmp_path, largest_bytes=5)
    append(file, "after\n")
    assert list(follower.new_lines()) == [LogLine("worker", "after")]


def test_every_line_has_the_name_of_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    LogPrinter().show([LogLine("worker", "one"), LogLine("gateway", "two")])
    assert capsys.readouterr().out == "    worker | one\n   gateway | two\n"
