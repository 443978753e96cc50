"""What the probes of a worker are answered while it loads, works, hangs and drains."""

import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from threading import Event

import pytest

from infra.local.ports import free_ports
from services.worker.health import ALIVE_PATH, READY_PATH, SILENT_SECONDS, Health, HealthServer, serve_health
from services.worker.settings import HealthSettings


class Clock:
    """A clock that the test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def health() -> Health:
    return Health(Clock())


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    server = HealthServer(HealthSettings(port=free_ports(1)[0]), health)
    yield server
    server.close()


def status_of(server: HealthServer, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_worker_that_loads_its_model_is_alive_and_not_ready(server: HealthServer) -> None:
    assert status_of(server, ALIVE_PATH) == 200
    assert status_of(server, READY_PATH) == 503
    assert status_of(server, "/metrics") == 200
    assert status_of(server, "/nothing") == 404


def test_a_worker_is_ready_as_long_as_its_parts_say_so(server: HealthServer, health: Health) -> None:
    draining: list[bool] = []
    health.started(lambda: not draining)
    assert status_of(server, READY_PATH) == 200
    draining.append(True)
    assert status_of(server, READY_PATH) == 503
    assert status_of(server, ALIVE_PATH) == 200


def test_a_heartbeat_that_hangs_costs_the_worker_its_life_and_a_long_load_does_not() -> None:
    clock = Clock()
    health = Health(clock)
    clock.seconds = 10 * SILENT_SECONDS
    assert health.is_alive()
    health.beat()
    clock.seconds += SILENT_SECONDS - 1
    assert health.is_alive()
    clock.seconds += 1
    assert not health.is_alive()
    health.beat()
    assert health.is_alive()


def test_a_probe_that_stops_waiting_leaves_no_traceback(
    server: HealthServer, health: Health, capfd: pytest.CaptureFixture[str]
) -> None:
    asked, hung_up, others = Event(), Event(), set(threading.enumerate())

    def slow() -> bool:
        asked.set()
        return hung_up.wait(10)

    health.started(slow)
    with socket.create_connection(("127.0.0.1", server.port)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset when closed
        probe.sendall(f"GET {READY_PATH} HTTP/1.0\r\n\r\n".encode())
        assert asked.wait(10)
    hung_up.set()
    for thread in set(threading.enumerate()) - others:
        if "process_request_thread" in thread.name:
            thread.join(10)
    assert status_of(server, READY_PATH) == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_in_use_ends_the_worker_with_the_name_of_the_setting(server: HealthServer) -> None:
    with pytest.raises(SystemExit, match=rf"WORKER_HEALTH_PORT: cannot listen on 127.0.0.1:{server.port}: "):
        serve_health(HealthSettings(port=server.port))


def test_without_a_port_nothing_listens() -> None:
    assert HealthSettings().port is None
    assert serve_health(HealthSettings()).is_alive()
