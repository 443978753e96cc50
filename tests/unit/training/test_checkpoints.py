"""A checkpoint is written completely or not at all, and only the newest ones are kept."""

from pathlib import Path

import pytest
import torch

from training.checkpoints import KEPT, latest_checkpoint, read_checkpoint, save_checkpoint
from training.errors import TrainingError


class _Unwritable:
    """Makes a write fail halfway, because it cannot be pickled."""

    def __reduce__(self) -> str:
        raise OSError("the disk is full")


def test_a_state_comes_back_with_its_step(tmp_path: Path) -> None:
    state = {"weights": {"a": torch.arange(3.0)}, "rates": [0.1, 2], "name": "run"}
    read = read_checkpoint(save_checkpoint(tmp_path / "new", 7, state))
    assert read["step"] == 7
    assert torch.equal(read["weights"]["a"], state["weights"]["a"])
    assert (read["rates"], read["name"]) == ([0.1, 2], "run")


def test_a_write_that_fails_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    older = save_checkpoint(tmp_path, 1, {"weights": torch.ones(2)})
    with pytest.raises(OSError, match="disk is full"):
        save_checkpoint(tmp_path, 2, {"weights": torch.ones(2), "rest": _Unwritable()})
    assert latest_checkpoint(tmp_path) == older
    assert torch.equal(read_checkpoint(older)["weights"], torch.ones(2))


def test_an_unfinished_file_is_not_taken_for_a_checkpoint(tmp_path: Path) -> None:
    older = save_checkpoint(tmp_path, 1, {})
    (tmp_path / "step-00000002.unfinished").write_bytes(older.read_bytes()[:100])
    assert latest_checkpoint(tmp_path) == older


def test_the_latest_is_found_by_its_step_and_older_ones_are_deleted(tmp_path: Path) -> None:
    for step in (9, 10, 100, 99_999_999):
        save_checkpoint(tmp_path, step, {})
    assert latest_checkpoint(tmp_path) == tmp_path / "step-99999999.pt"
    assert len(list(tmp_path.glob("*.pt"))) == KEPT


def test_a_folder_that_does_not_exist_has_no_checkpoint(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "none") is None


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    path = tmp_path / "step-00000001.pt"
    torch.save({"step": 1, "harm": Path("x")}, path)
    with pytest.raises(TrainingError, match="damaged"):
        read_checkpoint(path)
