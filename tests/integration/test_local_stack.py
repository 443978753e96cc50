"""Start, kill and restart the embedded stack and its supervisor as processes."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from infra.local.commands import down, logs, status
from infra.local.health import questions_for
from infra.local.installation import migrate
from infra.local.ports import PortReservations, free_ports
from infra.local.postgres import PostgresServer
from infra.local.process import ManagedProcess, ProcessError, ProcessSpec
from infra.local.services import Service
from infra.local.stack import EmbeddedStack
from infra.local.state import load_state
from infra.local.watched import WatchedProcess
from shared.settings import StorageSettings
from shared.storage import ObjectStorage
from tests.support.servers.supervised import (
    GONE_SECONDS,
    children,
    starting,
    supervised,
    wait_for_line,
    wait_until_gone,
)


def test_a_stack_finds_its_data_again(tmp_path: Path) -> None:
    def bucket(stack: EmbeddedStack) -> ObjectStorage:
        values = {name: stack.environment[f"S3_{name.upper()}"] for name in ("endpoint_url", "bucket")}
        keys = {
            name: stack.environment[f"S3_{name.upper()}"] for name in ("access_key_id", "secret_access_key")
        }
        return ObjectStorage(StorageSettings.model_validate(values | keys))

    with EmbeddedStack(tmp_path, environment={}) as first:
        bucket(first).put_once("picture.png", b"pixels", "image/png")
        assert first.postgres is not None
        with psycopg.connect(first.postgres.owner_url()) as connection:
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
    """Both folders have saved the same ports; the second stack starts after the first has chosen its own."""
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


@pytest.mark.long
def test_platforms_that_start_at_the_same_moment_all_become_ready(tmp_path: Path) -> None:
    wanted = free_ports(1)[0]
    for _ in range(2):  # the second time with the folders and saved ports of the first
        with starting(tmp_path / "a", wanted) as one, starting(tmp_path / "b", wanted) as other:
            addresses = {found_address(one), found_address(other)}
            pids = children(tmp_path / "a") + children(tmp_path / "b")
            assert len(addresses) == 2
            assert f"http://127.0.0.1:{wanted}/" in addresses
        wait_until_gone(pids)


def found_address(process: subprocess.Popen[str]) -> str:
    """Wait until a supervisor is ready and return its URL."""
    return wait_for_line(process, "is ready").split()[-1]


def make_folder(folder: Path) -> Path:
    """Create the folder and return it."""
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
def test_with_rabbitmq_as_broker_valkey_runs_for_events_unless_redis_url_is_set(
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
def test_each_server_can_be_replaced_independently_of_the_others(
    tmp_path: Path, own: str, left: list[str]
) -> None:
    with EmbeddedStack(tmp_path, environment={own: "redis://mine", "REDIS_URL": ""}, durable=False) as stack:
        assert [process.name for process in stack.processes] == left
        assert own not in stack.environment


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "DATABASE_URL is not an address"),
        ("postgresql://me:secret@127.0.0.1:1/x", "The database at 127.0.0.1 .* does not answer: .*refused"),
    ],
)
def test_a_database_that_does_not_answer_is_reported_in_one_line_without_its_password(
    url: str, words: str
) -> None:
    with pytest.raises(ProcessError, match=words) as refused:
        migrate(url)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_error_of_a_failed_process_quotes_its_log_since_its_start(tmp_path: Path) -> None:
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
        pytest.fail("two stacks use one folder")


def test_no_process_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path) as supervisor:
        pids = children(tmp_path)
        supervisor.kill()
        supervisor.wait()
    wait_until_gone(pids)
    assert len(pids) == len(("postgres", "valkey", "seaweedfs", "web"))
    with supervised(tmp_path):  # the killed supervisor has left usable data
        assert len(children(tmp_path)) == len(pids)


def test_an_incomplete_database_cluster_is_created_again(tmp_path: Path) -> None:
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
        process = ManagedProcess(spec, log)
        service = WatchedProcess(process, questions_for(Service(spec, url), process, "postgresql://unused"))
        service.start()
        with pytest.raises(ProcessError, match="address already in use"):
            service.wait_until_ready()
        stranger.shutdown()
        thread.join()


def test_a_service_that_ends_is_started_again_and_down_stops_everything(tmp_path: Path) -> None:
    command = CliRunner()
    data = ["--data", str(tmp_path)]
    with supervised(tmp_path) as supervisor:
        before = children(tmp_path)
        os.kill(before[-1], signal.SIGKILL)
        wait_for_line(supervisor, r"web was killed \(SIGKILL\); restarting it")
        wait_for_line(supervisor, "web serves again")

        shown = command.invoke(status, data).output
        stopped = command.invoke(down, data)

        assert "restarted 1 times" in shown
        assert (stopped.exit_code, stopped.output) == (0, "stopped\n")
        assert supervisor.wait() == 0
    wait_until_gone(before)
    assert "web | " in command.invoke(logs, [*data, "web"]).output
    assert command.invoke(status, data).exit_code == 1
