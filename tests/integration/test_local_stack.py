"""The embedded stack and its supervisor as processes: started, killed, started again."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from infra.local.commands import down, logs, status
from infra.local.installation import migrate
from infra.local.ports import PortReservations, free_ports
from infra.local.postgres import PostgresServer
from infra.local.process import ManagedProcess, ProcessError, ProcessSpec
from infra.local.run_file import read_run
from infra.local.services import Service
from infra.local.stack import EmbeddedStack
from infra.local.state import load_state
from infra.local.supervisor import WatchedService
from shared.settings import StorageSettings
from shared.storage import ObjectStorage

ROOT = Path(__file__).parents[2]
GONE_SECONDS = 30.0

SUPERVISE = """
import sys
from pathlib import Path
from infra.local.process import ProcessSpec
from infra.local.services import Platform, Service
from infra.local.supervisor import Supervisor

def define(_, ports):
    port = ports.prefer(int(sys.argv[2]))
    url = f"http://127.0.0.1:{port}/"
    web = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    return Platform(url, {}, (Service(ProcessSpec("web", web), url),))

Supervisor(Path(sys.argv[1]), lambda line: print(line, flush=True), define).run()
"""


@contextmanager
def starting(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own; its one service would like to have the port."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(folder), str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def supervised(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A supervisor that is ready."""
    with starting(folder, free_ports(1)[0]) as process:
        wait_for_line(process, "is ready")
        yield process


def wait_for_line(process: subprocess.Popen[str], pattern: str) -> str:
    """Read its output up to a line in which the pattern is found, and return that line."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return line
    pytest.fail("".join(seen))


def children(folder: Path) -> list[int]:
    """The processes that the run file names."""
    run = read_run(folder)
    assert run is not None
    return [process.pid for process in run.processes]


def wait_until_gone(pids: list[int]) -> None:
    """Return when every process has ended: a process's descriptor becomes readable at its end."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ended, _, _ = select.select([descriptor], [], [], GONE_SECONDS)
        finally:
            os.close(descriptor)
        assert ended, f"process {pid} outlived its parent"


def test_a_stack_finds_its_data_again(tmp_path: Path) -> None:
    def bucket(stack: EmbeddedStack) -> ObjectStorage:
        values = {name: stack.environment[f"S3_{name.upper()}"] for name in ("endpoint_url", "bucket")}
        keys = {
            name: stack.environment[f"S3_{name.upper()}"] for name in ("access_key_id", "secret_access_key")
        }
        return ObjectStorage(StorageSettings.model_validate(values | keys))

    with EmbeddedStack(tmp_path, environment={}) as first:
        bucket(first).put_once("picture.png", b"pixels", "image/png")
        with psycopg.connect(first.environment["DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        address = first.environment

    with EmbeddedStack(tmp_path, environment={}) as second:
        assert second.environment == address
        assert bucket(second).get("picture.png") == b"pixels"
        with psycopg.connect(second.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (7,)


def test_a_stack_that_starts_while_another_has_chosen_its_ports_takes_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both folders remember the same ports; the second starts wholly between the first's choice and use."""
    first, second = (EmbeddedStack(tmp_path / name, environment={}, durable=False) for name in "ab")
    with PortReservations() as ports:
        state = load_state(make_folder(tmp_path / "a"), ports)
    shutil.copy(tmp_path / "a" / "stack.json", make_folder(tmp_path / "b"))
    prepare = PostgresServer.prepare
    with ExitStack() as running:

        def start_the_second_before(server: PostgresServer) -> None:
            monkeypatch.setattr(PostgresServer, "prepare", prepare)
            running.enter_context(second)
            server.prepare()

        monkeypatch.setattr(PostgresServer, "prepare", start_the_second_before)
        running.enter_context(first)

        for stack in (first, second):
            with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        assert f":{state.ports.s3}" in first.environment["S3_ENDPOINT_URL"]
        assert second.environment["S3_ENDPOINT_URL"] != first.environment["S3_ENDPOINT_URL"]


def test_platforms_that_start_at_the_same_moment_all_become_ready(tmp_path: Path) -> None:
    wanted = free_ports(1)[0]
    for _ in range(2):  # the second time with the folders, and the ports, of the first
        with starting(tmp_path / "a", wanted) as one, starting(tmp_path / "b", wanted) as other:
            addresses = {found_address(one), found_address(other)}
            pids = children(tmp_path / "a") + children(tmp_path / "b")
            assert len(addresses) == 2
            assert f"http://127.0.0.1:{wanted}/" in addresses
        wait_until_gone(pids)


def found_address(process: subprocess.Popen[str]) -> str:
    """Where a supervisor says that it serves, once it does."""
    return wait_for_line(process, "is ready").split()[-1]


def make_folder(folder: Path) -> Path:
    """The folder, made."""
    folder.mkdir()
    return folder


def test_servers_named_by_the_environment_are_not_embedded(tmp_path: Path) -> None:
    mine = {
        "DATABASE_URL": "postgresql://db",
        "BROKER_URL": "redis://broker",
        "S3_ENDPOINT_URL": "https://s3",
    }
    with EmbeddedStack(tmp_path, environment=mine) as stack:
        assert stack.processes == []
        assert stack.environment == {}


@pytest.mark.parametrize("redis", [{}, {"REDIS_URL": "redis://events"}])
def test_beside_a_broker_that_is_no_redis_valkey_carries_the_events_unless_another_does(
    tmp_path: Path, redis: dict[str, str]
) -> None:
    mine = {
        "DATABASE_URL": "postgresql://db",
        "BROKER_URL": "amqp://broker",
        "S3_ENDPOINT_URL": "https://s3",
        **redis,
    }
    with EmbeddedStack(tmp_path, environment=mine) as stack:
        names = [process.name for process in stack.processes]
        assert names == ([] if redis else ["valkey"])
        assert stack.environment.get("BROKER_URL", "amqp://broker") == "amqp://broker"
        assert bool(stack.environment.get("REDIS_URL")) is not bool(redis)


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ("DATABASE_URL", ["valkey", "seaweedfs"]),
        ("BROKER_URL", ["postgres", "seaweedfs"]),
        ("S3_ENDPOINT_URL", ["postgres", "valkey"]),
    ],
)
def test_each_server_may_be_ones_own_alone(tmp_path: Path, own: str, left: list[str]) -> None:
    with EmbeddedStack(tmp_path, environment={own: "redis://mine", "REDIS_URL": ""}, durable=False) as stack:
        assert [process.name for process in stack.processes] == left
        assert own not in stack.environment


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "DATABASE_URL is no address"),
        ("postgresql://me:secret@127.0.0.1:1/x", "The database at 127.0.0.1 .* does not answer: .*refused"),
    ],
)
def test_a_database_that_does_not_answer_is_told_in_one_line_without_its_password(
    url: str, words: str
) -> None:
    with pytest.raises(ProcessError, match=words) as refused:
        migrate(url)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_process_that_fails_is_quoted_from_its_start_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("a fault of yesterday\n")
    process = ManagedProcess(ProcessSpec("web", [sys.executable, "-c", "exit('no port')"]), log)
    process.start()
    with pytest.raises(ProcessError) as refused:
        process.wait_until(lambda: False, GONE_SECONDS)
    assert str(refused.value) == "web ended with status 1 while starting:\n    no port"


def test_a_folder_serves_one_stack_at_a_time(tmp_path: Path) -> None:
    mine = {
        "DATABASE_URL": "postgresql://db",
        "BROKER_URL": "redis://broker",
        "S3_ENDPOINT_URL": "https://s3",
    }
    with (
        EmbeddedStack(tmp_path, environment=mine),
        pytest.raises(ProcessError, match="Another Luminary runs"),
        EmbeddedStack(tmp_path, environment=mine),
    ):
        pytest.fail("two stacks shared a folder")


def test_no_process_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path) as supervisor:
        pids = children(tmp_path)
        supervisor.kill()
        supervisor.wait()
    wait_until_gone(pids)
    assert len(pids) == len(("postgres", "valkey", "seaweedfs", "web"))
    with supervised(tmp_path):  # the data of the killed one is usable
        assert len(children(tmp_path)) == len(pids)


def test_a_cluster_that_was_half_made_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    mine = {"BROKER_URL": "redis://broker", "S3_ENDPOINT_URL": "https://s3"}
    with (
        EmbeddedStack(tmp_path, environment=mine, durable=False) as stack,
        psycopg.connect(stack.environment["DATABASE_URL"]) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()


def test_a_service_is_not_ready_because_another_program_answers_on_its_port(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    spec = ProcessSpec("web", [sys.executable, "-c", "exit('address already in use')"])
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as stranger:
        thread = threading.Thread(target=stranger.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{stranger.server_port}/"
        service = WatchedService(Service(spec, url), {}, log.parent)
        service.process.start()
        with pytest.raises(ProcessError, match="address already in use"):
            service.wait_until_ready("postgresql://unused")
        stranger.shutdown()
        thread.join()


def test_a_service_that_ends_is_started_again_and_down_stops_everything(tmp_path: Path) -> None:
    command = CliRunner()
    data = ["--data", str(tmp_path)]
    with supervised(tmp_path) as supervisor:
        before = children(tmp_path)
        os.kill(before[-1], signal.SIGKILL)
        wait_for_line(supervisor, "starts again")
        wait_for_line(supervisor, "Serving HTTP")

        shown = command.invoke(status, data).output
        stopped = command.invoke(down, data)

        assert "restarted 1 times" in shown
        assert (stopped.exit_code, stopped.output) == (0, "stopped\n")
        assert supervisor.wait() == 0
    wait_until_gone(before)
    assert "web | " in command.invoke(logs, [*data, "web"]).output
    assert command.invoke(status, data).exit_code == 1
