"""A full disk is named, before a start and while the platform runs."""

import os
from pathlib import Path

import pytest

from infra.local.disk import DiskWatch, check_disk, shortage
from infra.local.process import ProcessError


def disk(monkeypatch: pytest.MonkeyPatch, *, free_bytes: int, files: int = 0, free_files: int = 0) -> None:
    """The kernel's answer about every disk from now on."""
    found = os.statvfs("/")
    values = list(found)
    values[1], values[4], values[5], values[7] = 1, free_bytes, files, free_files
    monkeypatch.setattr(os, "statvfs", lambda _place: os.statvfs_result(values))


def test_there_is_room_here(tmp_path: Path) -> None:
    check_disk(tmp_path / "not" / "made" / "yet")


def test_a_start_on_a_full_disk_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: every request is 503 `database_unavailable`. Right: `luminary up` names the disk in one line."""
    disk(monkeypatch, free_bytes=3_000_000)
    with pytest.raises(ProcessError) as refused:
        check_disk(tmp_path)
    assert str(refused.value) == (
        f"The disk of {tmp_path} has 3 MB free; Luminary needs 256 MB: "
        "free some space, or choose another disk with --data."
    )


def test_a_disk_without_room_for_files_is_full_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, free_bytes=10**12, files=10_000, free_files=3)
    assert shortage(tmp_path) == f"the disk of {tmp_path} has room for 3 files; Luminary needs 1000"
    disk(monkeypatch, free_bytes=10**12)
    assert shortage(tmp_path) is None


def test_a_disk_that_fills_is_told_once_and_once_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    watch = DiskWatch(tmp_path, told.append)
    for free in (10**12, 1, 2, 3, 10**12, 10**12, 1):
        disk(monkeypatch, free_bytes=free)
        watch.look()
    assert [line.partition(" has ")[2].partition(":")[0] for line in told] == [
        "0 MB free; Luminary needs 256 MB",
        "enough space again",
        "0 MB free; Luminary needs 256 MB",
    ]
