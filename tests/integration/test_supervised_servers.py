"""The supervisor restarts killed and frozen servers, and `luminary status` shows their state."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import boto3
import psycopg
import pytest
import valkey
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from click.testing import CliRunner, Result

from infra.local.commands import status
from infra.local.proc import working_in
from infra.local.run_file import ProcessState, RunningProcess, read_run
from infra.local.stack import embedded_postgres
from infra.local.state import StackState, read_state
from infra.local.valkey import ValkeyServer
from tests.support.platforms.platform import eventually
from tests.support.servers.supervised import (
    SupervisorOutput,
    children,
    supervised,
    wait_until_gone,
)

FROZEN_SECONDS = 10.0
SERVERS = ("postgres", "valkey", "seaweedfs")


@contextmanager
def watched(folder: Path) -> Iterator[SupervisorOutput]:
    """Run a supervisor that soon restarts frozen processes; yields its output."""
    with supervised(folder, FROZEN_SECONDS) as supervisor:
        yield SupervisorOutput(supervisor)


def found(folder: Path, name: str) -> RunningProcess:
    """The supervisor's entry for a process."""
    run = read_run(folder)
    assert run is not None
    return next(process for process in run.processes if process.name == name)


def look(folder: Path) -> Result:
    """Run `luminary status`."""
    return CliRunner().invoke(status, ["--data", str(folder)])


def is_back(folder: Path, before: RunningProcess) -> bool:
    """Whether a new process has replaced this one and runs."""
    now = found(folder, before.name)
    return now.pid != before.pid and now.state is ProcessState.RUNNING


def is_shown_as_lost(folder: Path, name: str) -> bool:
    """Whether `luminary status` exits with 1 and shows the server as dead or restarting."""
    shown = look(folder)
    (line,) = [line for line in shown.output.splitlines() if f" {name} " in line]
    return shown.exit_code == 1 and ("dead" in line or "restarting" in line)


def answers(folder: Path, name: str) -> bool:
    """Whether the server answers a client and has kept its data."""
    state = read_state(folder)
    assert state is not None
    match name:
        case "postgres":
            return postgres_keeps(folder, state)
        case "valkey":
            return valkey_keeps(folder, state)
        case _:
            return storage_keeps(state)


def postgres_keeps(folder: Path, state: StackState) -> bool:
    try:
        with psycopg.connect(embedded_postgres(folder, state).owner_url(), connect_timeout=3) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept(value int)")
            connection.execute("INSERT INTO kept VALUES (1)")
            return True
    except psycopg.OperationalError:
        return False


def valkey_keeps(folder: Path, state: StackState) -> bool:
    url = ValkeyServer(folder / "valkey", state.ports.valkey, state.secrets.valkey_password).url()
    try:
        with valkey.Valkey.from_url(url, socket_timeout=3) as client:
            return int(str(client.incr("kept"))) > 0
    except valkey.ValkeyError:
        return False


def storage_keeps(state: StackState) -> bool:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{state.ports.s3}",
        aws_access_key_id=state.secrets.s3_access_key_id,
        aws_secret_access_key=state.secrets.s3_secret_access_key,
        region_name="us-east-1",
        config=Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1}),
    )
    try:
        client.put_object(Bucket="luminary", Key="kept", Body=b"pixels")
        return bool(client.get_object(Bucket="luminary", Key="kept")["Body"].read() == b"pixels")
    except (BotoCoreError, ClientError):
        return False


def kill(process: RunningProcess) -> None:
    os.kill(process.pid, signal.SIGKILL)


def kill_group(process: RunningProcess) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def test_a_killed_server_comes_back_with_one_line_for_each_outage(tmp_path: Path) -> None:
    """Fixed bug: a killed server stayed a zombie, which `luminary status` showed as running."""
    with watched(tmp_path) as output:
        for name in SERVERS:
            for way in (kill, kill_group):
                assert look(tmp_path).exit_code == 0
                before = found(tmp_path, name)
                way(before)
                eventually(partial(is_shown_as_lost, tmp_path, name), f"a status without {name}")
                eventually(partial(is_back, tmp_path, before), f"the return of {name}", 90)
                assert answers(tmp_path, name)
        for name in SERVERS:
            lines = output.about(name)
            assert sum("was killed (SIGKILL)" in line for line in lines) == 2, lines
            assert sum("serves again after" in line for line in lines) == 2, lines
            assert len(lines) == 4, lines
            assert found(tmp_path, name).restarts == 2


@pytest.mark.long
def test_a_frozen_server_is_started_again(tmp_path: Path) -> None:
    """Fixed bug: a server that hung was never noticed."""
    with watched(tmp_path) as output:
        before = [found(tmp_path, name) for name in (*SERVERS, "web")]
        for process in before:
            os.kill(process.pid, signal.SIGSTOP)
        eventually(lambda: look(tmp_path).output.count(" frozen ") == len(before), "a status of the frozen")
        assert look(tmp_path).exit_code == 1
        for process in before:
            eventually(lambda process=process: is_back(tmp_path, process), f"a fresh {process.name}", 120)
            assert any("has not answered for" in line for line in output.about(process.name))
        for name in SERVERS:
            assert answers(tmp_path, name)
        assert look(tmp_path).exit_code == 0


@pytest.mark.long
def test_all_servers_come_back_when_killed_at_once_and_again_during_their_start(tmp_path: Path) -> None:
    with watched(tmp_path) as output:
        for process in [found(tmp_path, name) for name in SERVERS]:
            kill(process)
        for name in SERVERS:

            def starts_again(name: str = name) -> RunningProcess | None:
                now = found(tmp_path, name)
                return now if now.restarts == 1 else None

            again = eventually(starts_again, f"the second start of {name}")
            with suppress(ProcessLookupError):
                kill(again)
        for name in SERVERS:
            eventually(
                lambda name=name: (
                    found(tmp_path, name).state is ProcessState.RUNNING
                    and found(tmp_path, name).restarts >= 1
                    and answers(tmp_path, name)
                ),
                f"the return of {name}",
                120,
            )
            assert len(output.about(name)) <= 4, output.about(name)


def test_a_killed_child_of_postgres_is_replaced_by_postgres_itself(tmp_path: Path) -> None:
    with watched(tmp_path):
        before = found(tmp_path, "postgres")
        (child, *_) = [pid for pid in working_in(tmp_path / "postgres", "postgres") if pid != before.pid]
        os.kill(child, signal.SIGKILL)
        eventually(lambda: answers(tmp_path, "postgres"), "an answer of PostgreSQL")
        assert found(tmp_path, "postgres").pid == before.pid


def test_postgres_starts_although_its_lock_names_another_process(tmp_path: Path) -> None:
    """After a kill the id in postmaster.pid may belong to another program, and PostgreSQL would not start."""
    with watched(tmp_path):
        before = found(tmp_path, "postgres")
        lock = tmp_path / "postgres" / "postmaster.pid"
        text = lock.read_text()
        os.kill(before.pid, signal.SIGKILL)
        lock.write_text(text.replace(str(before.pid), str(os.getpid()), 1))
        eventually(lambda: is_back(tmp_path, before), "the return of PostgreSQL", 90)


def test_the_next_supervisor_ends_frozen_processes_of_a_killed_one(tmp_path: Path) -> None:
    with supervised(tmp_path) as supervisor:
        pids = children(tmp_path)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        supervisor.kill()
        supervisor.wait()
    assert look(tmp_path).exit_code == 1
    with supervised(tmp_path):
        wait_until_gone(pids)
        assert not set(pids) & set(children(tmp_path))
        assert look(tmp_path).exit_code == 0


def test_status_calls_a_zombie_dead(tmp_path: Path) -> None:
    """Fixed bug: `luminary status` showed a zombie as running."""
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    process = RunningProcess("postgres", child.pid, started_of(child.pid))
    assert process.now() is ProcessState.DEAD
    child.wait()
    assert process.now() is ProcessState.DEAD


def started_of(pid: int) -> int:
    """Start time of a process: field 22 of /proc/PID/stat."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_process_id_that_is_used_again_does_not_count_as_the_old_process() -> None:
    assert RunningProcess("web", os.getpid(), started_of(os.getpid())).now() is ProcessState.RUNNING
    assert RunningProcess("web", os.getpid(), started_of(os.getpid()) - 1).now() is ProcessState.DEAD


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"pid": 1})])
def test_an_unreadable_run_file_counts_as_missing(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert look(tmp_path).exit_code == 1
