"""The gateway answers clients that send half a request, too much, too slowly, or no HTTP at all."""

import gc
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from services.api.connections.connection import GatewayConnection
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from tests.support.gateway.clients import Project
from tests.support.gateway.served import PATIENCE_SECONDS, Served, read_answer, request, served
from tests.support.platforms.platform import eventually

JSON = "Content-Type: application/json"
FAST = {"header_seconds": 0.5, "body_idle_seconds": 0.5, "body_seconds": 1.5, "max_connections": 8}


@pytest.fixture
def gateway(gateway_settings: GatewayProcessSettings) -> Iterator[Served]:
    with served(gateway_settings, **FAST) as place:
        yield place


def key_of(project: Project) -> str:
    return f"Authorization: Bearer {project.token}"


def test_a_body_without_a_key_is_refused_before_any_of_it_is_asked_for(gateway: Served) -> None:
    """Fixed bug: 33 MB of nested JSON were read and parsed before the key was checked (3.8 s, 1 GB)."""
    head = request("POST", "/v1/jobs", JSON, "Content-Length: 33000000", "Expect: 100-continue")
    document = gateway.exchange(head).assert_problem(ProblemCode.UNAUTHENTICATED)
    assert document["errors"][0]["param"] == "Authorization"


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/images", "/v1/jobs/job_x/cancel", "/v1/nothing"])
@pytest.mark.parametrize("key", [(), ("Authorization: Bearer lum_wrong",)])
def test_every_path_below_v1_asks_for_the_key_first(gateway: Served, path: str, key: tuple[str, ...]) -> None:
    answer = gateway.exchange(request("POST", path, "Content-Length: 1000", *key))
    answer.assert_problem(ProblemCode.UNAUTHENTICATED)


def requests_in_memory() -> int:
    kinds = (GatewayConnection, RequestResponseCycle)
    return sum(issubclass(type(each), kinds) for each in gc.get_objects())


def test_a_closed_connection_leaves_memory_without_a_garbage_collection(
    gateway: Served, alice: Project
) -> None:
    """Fixed bug: cycles and timers kept 80 KB of each refused upload; 2,400 of them without a key 220 MB."""
    gc.collect()
    gc.disable()
    try:
        for key in ((), (key_of(alice),)):
            half = request("POST", "/v1/jobs", JSON, "Content-Length: 100000", *key, body=b"{" * 60_000)
            gateway.exchange(half)
            gateway.opened[-1].close()
        eventually(lambda: requests_in_memory() == 0, "the end of both connections", 10)
    finally:
        gc.enable()


def test_half_a_body_is_answered_when_its_time_is_over(gateway: Served, alice: Project) -> None:
    """Fixed bug: ten half-sent bodies occupied 435 MB without end; now they time out with 408."""
    half = request("POST", "/v1/jobs", JSON, "Content-Length: 100", key_of(alice), body=b'{"prompt"')
    gateway.exchange(half).assert_problem(ProblemCode.REQUEST_TIMEOUT)


def test_a_body_that_drips_is_answered_when_its_whole_time_is_over(gateway: Served, alice: Project) -> None:
    connection = gateway.connect()
    connection.sendall(request("POST", "/v1/jobs", JSON, "Content-Length: 100000", key_of(alice)))
    connection.settimeout(0.2)
    for _ in range(100):
        try:
            if connection.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            connection.sendall(b" ")
    connection.settimeout(PATIENCE_SECONDS)
    read_answer(connection).assert_problem(ProblemCode.REQUEST_TIMEOUT)


def test_half_of_the_headers_are_answered_when_their_time_is_over(gateway: Served) -> None:
    """Fixed bug: the gateway waited for the headers without end."""
    gateway.exchange(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow:").assert_problem(
        ProblemCode.REQUEST_TIMEOUT
    )


def test_a_silent_connection_is_closed(gateway: Served) -> None:
    assert gateway.connect().recv(1) == b""


def test_a_full_gateway_closes_its_most_idle_connection_and_answers_the_new_one(
    gateway: Served, gateway_settings: GatewayProcessSettings
) -> None:
    with served(gateway_settings, **FAST | {"header_seconds": 60.0}) as patient:
        silent = [patient.connect() for _ in range(FAST["max_connections"])]
        assert patient.exchange(request("GET", "/healthz")).status == 200
        assert silent[0].recv(1) == b""


def test_without_an_idle_connection_the_answer_is_503(
    gateway_settings: GatewayProcessSettings, alice: Project
) -> None:
    """Fixed bug: the number of connections was not limited."""
    slow = {**FAST, "body_idle_seconds": 20.0, "body_seconds": 20.0}
    with served(gateway_settings, **slow) as full:
        for _ in range(FAST["max_connections"]):
            head = request(
                "POST", "/v1/jobs", JSON, "Content-Length: 9", "Expect: 100-continue", key_of(alice)
            )
            connection = full.connect()
            connection.sendall(head)
            assert connection.recv(25).startswith(b"HTTP/1.1 100")
        answer = full.exchange(request("GET", "/healthz"))
        answer.assert_problem(ProblemCode.GATEWAY_BUSY)
        assert answer.headers["retry-after"] == "1"


def test_large_bodies_wait_for_room_and_small_ones_pass(
    gateway_settings: GatewayProcessSettings, alice: Project
) -> None:
    with served(gateway_settings, max_bodies_bytes=1_000_000, body_idle_seconds=2.0) as gateway:
        connection = gateway.connect()
        head = request(
            "POST", "/v1/jobs", JSON, "Content-Length: 900000", "Expect: 100-continue", key_of(alice)
        )
        connection.sendall(head)
        assert connection.recv(25).startswith(b"HTTP/1.1 100")
        body = b'{"prompt": "a red circle"}'
        small = request("POST", "/v1/jobs", JSON, f"Content-Length: {len(body)}", key_of(alice), body=body)
        assert gateway.exchange(small).status == 202
        waiting = gateway.connect()
        waiting.sendall(head)
        read_answer(connection).assert_problem(ProblemCode.REQUEST_TIMEOUT)
        assert waiting.recv(25).startswith(b"HTTP/1.1 100")


def test_what_is_no_http_is_answered_with_a_problem(gateway: Served) -> None:
    """Fixed bug: malformed HTTP was answered in plain text instead of a problem document."""
    gateway.exchange(b"\x16\x03\x01 hello\r\n\r\n").assert_problem(ProblemCode.MALFORMED_REQUEST)


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: five",),
        ("Host: other",),
        ("X-Long: " + "x" * 100_000,),
        ("Authorization: Bearer a", "Authorization: Bearer b"),
        ("Idempotency-Key: a", "Idempotency-Key: b"),
        ("Content-Type: application/json", "Content-Type: text/plain"),
    ],
    ids=lambda headers: headers[-1][:30],
)
def test_headers_that_contradict_each_other_are_refused(gateway: Served, headers: tuple[str, ...]) -> None:
    """Fixed bug: of two Authorization or Idempotency-Key headers, one was used."""
    gateway.exchange(request("POST", "/v1/jobs", *headers)).assert_problem(ProblemCode.MALFORMED_REQUEST)


def test_a_client_that_sends_too_much_gets_its_answer(gateway: Served, alice: Project) -> None:
    """Fixed bug: the connection was reset while the client sent, and the 413 was lost."""
    body = b" " * 6_000_000
    head = request("POST", "/v1/jobs", JSON, f"Content-Length: {len(body)}", key_of(alice))
    connection = gateway.connect()
    connection.sendall(head + body)
    read_answer(connection).assert_problem(ProblemCode.BODY_TOO_LARGE)


def test_a_client_that_leaves_while_it_sends_is_one_quiet_line(
    gateway: Served, alice: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """Fixed bug: a disconnect was logged as `internal_error` with a traceback."""
    caplog.set_level(logging.INFO)
    connection = gateway.connect()
    head = request("POST", "/v1/jobs", JSON, "Content-Length: 100", "Expect: 100-continue", key_of(alice))
    connection.sendall(head)
    assert connection.recv(25).startswith(b"HTTP/1.1 100")
    connection.close()

    def told() -> list[Any]:
        return [record for record in caplog.records if getattr(record, "code", None) == "client_disconnected"]

    for _ in range(200):
        if told():
            break
        gateway.exchange(request("GET", "/healthz"))
    assert len(told()) == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_head_has_the_headers_of_get_and_no_body(gateway: Served, alice: Project) -> None:
    """Fixed bug: HEAD was answered with 405."""
    for path, key in (("/healthz", ()), ("/readyz", ()), ("/docs", ()), ("/v1/jobs", (key_of(alice),))):
        got = gateway.exchange(request("GET", path, *key))
        answered = read_all(gateway, request("HEAD", path, "Connection: close", *key))
        assert answered.startswith(b"HTTP/1.1 200"), answered
        assert answered.endswith(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % len(got.body) in answered


def read_all(gateway: Served, sent: bytes) -> bytes:
    """Everything that the gateway sends until it closes."""
    connection = gateway.connect()
    connection.sendall(sent)
    return connection.makefile("rb").read()
