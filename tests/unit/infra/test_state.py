"""What a data folder remembers."""

import socket
import stat
from pathlib import Path

import pytest

from infra.local.ports import PortReservations
from infra.local.process import ProcessError
from infra.local.run_file import Run, RunningProcess, read_run, write_run
from infra.local.state import StackState, exclusive, load_state, read_state


def load(folder: Path) -> StackState:
    """The state of a start whose ports are free again at once."""
    with PortReservations() as ports:
        return load_state(folder, ports)


def test_ports_and_passwords_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    state = load(tmp_path)
    assert load(tmp_path) == read_state(tmp_path) == state
    assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600


def test_when_a_port_was_taken_the_ports_are_new_and_the_passwords_are_not(tmp_path: Path) -> None:
    state = load(tmp_path)
    with socket.create_server(("127.0.0.1", state.ports.postgres)):
        again = load(tmp_path)
    assert again.secrets == state.secrets
    assert again.ports.postgres != state.ports.postgres
    assert read_state(tmp_path) == again


def test_a_data_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ProcessError, match="cannot be written: Not a directory"),
        exclusive(tmp_path / "file" / "data"),
    ):
        pytest.fail("a file became a folder")


def test_a_run_is_known_as_long_as_it_holds_the_folder(tmp_path: Path) -> None:
    run = Run(1, "http://127.0.0.1:8000", (RunningProcess("worker", 2, 77, 1),))
    with exclusive(tmp_path):
        write_run(tmp_path, run)
        assert read_run(tmp_path) == run
    assert read_run(tmp_path) is None
