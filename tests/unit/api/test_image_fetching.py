"""Pictures are fetched from clients' URLs only at the checked address, and within limits."""

import asyncio
import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from services.api.problems.codes import Problem, ProblemCode
from services.api.process.image_fetching import ImageFetcher
from shared.egress.guard import Address, EgressGuard

TLS = Path(__file__).parent / "tls"
"""A self-signed certificate of pictures.example with its key, used only in these tests."""
LOOPBACK = ip_address("127.0.0.1")
PUBLIC = ip_address("93.184.216.34")


class Pictures(BaseHTTPRequestHandler):
    """Handler of a small web server; requested hosts are recorded on the server object."""

    def do_GET(self) -> None:
        assert isinstance(self.server, PictureServer)
        self.server.hosts.append(self.headers["Host"])
        match self.path:
            case "/picture.png":
                self.answer(200, b"pixels")
            case "/large":
                self.answer(200, b"x" * 2000)
            case "/inside":
                self.redirect("http://internal.example/secret")
            case "/far":
                self.redirect("http://pictures.example:65536/picture.png")
            case "/ssh":
                self.redirect("http://pictures.example:22/picture.png")
            case "/moved":
                self.redirect("/picture.png")
            case "/loop":
                self.redirect("/loop")
            case _:
                self.answer(404, b"")

    def redirect(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Log nothing."""


class PictureServer(ThreadingHTTPServer):
    """A web server that records the hosts of its requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Pictures)
        self.hosts: list[str] = []


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Names:
    """A name server: each query of a name gets its next answer, and then always the last one."""

    def __init__(self, **answers: Sequence[Address]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, _port: int) -> Sequence[Address]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError("no such name")
        return [answers.pop(0) if len(answers) > 1 else answers[0]]


def fetch(
    url: str,
    names: Names,
    allowed: Sequence[Address] = (LOOPBACK,),
    trust: ssl.SSLContext | None = None,
    ports: Sequence[int] | None = None,
) -> bytes:
    """Fetch a URL with the test's own name server. `allowed` are the addresses that count as public.

    If `ports` is not given, the URL's port is allowed.
    """
    ports = [int(re.findall(r":(\d+)/", url + ":80/")[0])] if ports is None else ports

    async def run() -> bytes:
        fetcher = ImageFetcher(
            1000,
            EgressGuard(ports=ports, is_allowed=lambda address: address in allowed),
            resolve=names.resolve,
            trust=trust,
        )
        try:
            return await fetcher.fetch(url)
        finally:
            await fetcher.close()

    return asyncio.run(run())


def refusal(
    url: str,
    names: Names,
    allowed: Sequence[Address] = (LOOPBACK,),
    ports: Sequence[int] | None = None,
) -> str:
    with pytest.raises(Problem) as refused:
        fetch(url, names, allowed, ports=ports)
    return refused.value.code


def test_the_checked_address_is_asked_for_the_host_of_the_url(server: PictureServer) -> None:
    port = server.server_port
    names = Names(pictures_example=[LOOPBACK])
    assert fetch(f"http://pictures.example:{port}/picture.png", names) == b"pixels"
    assert server.hosts == [f"pictures.example:{port}"]


def test_a_name_that_changes_its_address_after_the_check_changes_nothing(server: PictureServer) -> None:
    names = Names(rebinding_example=[LOOPBACK, PUBLIC])
    assert fetch(f"http://rebinding.example:{server.server_port}/picture.png", names) == b"pixels"
    assert names.asked == ["rebinding.example"]


def test_a_name_with_an_inner_address_is_not_connected_to(server: PictureServer) -> None:
    url = f"http://inside.example:{server.server_port}/picture.png"
    assert refusal(url, Names(inside_example=[LOOPBACK]), allowed=[PUBLIC]) == ProblemCode.IMAGE_URL_FORBIDDEN
    assert server.hosts == []


def test_a_redirect_is_checked_like_the_first_url(server: PictureServer) -> None:
    names = Names(pictures_example=[LOOPBACK], internal_example=[ip_address("10.0.0.1")])
    base = f"http://pictures.example:{server.server_port}"
    assert fetch(f"{base}/moved", names) == b"pixels"
    assert refusal(f"{base}/inside", names) == ProblemCode.IMAGE_URL_FORBIDDEN
    assert refusal(f"{base}/loop", names) == ProblemCode.IMAGE_UNAVAILABLE


@pytest.mark.parametrize("port", [65536, 99999, 10**20])
def test_a_port_that_does_not_exist_is_a_refusal_and_no_fault(port: int) -> None:
    """Fixed bug: the answer was 500, because of an OverflowError in the resolver."""
    refused = refusal(f"http://pictures.example:{port}/a.png", Names(pictures_example=[LOOPBACK]), ports=[80])
    assert refused in {ProblemCode.IMAGE_URL_FORBIDDEN, ProblemCode.IMAGE_UNAVAILABLE}


def test_a_redirect_to_a_port_that_does_not_exist_is_a_refusal_and_no_fault(server: PictureServer) -> None:
    """Fixed bug: the answer was 500."""
    url = f"http://pictures.example:{server.server_port}/far"
    refused = refusal(url, Names(pictures_example=[LOOPBACK]))
    assert refused in {ProblemCode.IMAGE_URL_FORBIDDEN, ProblemCode.IMAGE_UNAVAILABLE}


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 8080])
def test_only_the_ports_of_the_web_are_connected_to(port: int) -> None:
    """Fixed bug: pictures were fetched from any port, not only from GATEWAY_FETCH_PORTS."""
    names = Names(pictures_example=[LOOPBACK])
    refused = refusal(f"http://pictures.example:{port}/a.png", names, ports=[80, 443])
    assert (refused, names.asked) == (ProblemCode.IMAGE_URL_FORBIDDEN, [])


def test_a_redirect_to_another_port_is_refused(server: PictureServer) -> None:
    url = f"http://pictures.example:{server.server_port}/ssh"
    assert refusal(url, Names(pictures_example=[LOOPBACK])) == ProblemCode.IMAGE_URL_FORBIDDEN


def test_the_scheme_of_a_url_may_be_written_in_capitals(server: PictureServer) -> None:
    url = f"HTTP://pictures.example:{server.server_port}/picture.png"
    assert fetch(url, Names(pictures_example=[LOOPBACK])) == b"pixels"


@pytest.fixture
def secure_server(server: PictureServer) -> PictureServer:
    """The server over TLS, with the certificate of pictures.example."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def test_a_certificate_is_checked_for_the_host_of_the_url_and_not_for_its_address(
    secure_server: PictureServer,
) -> None:
    names = Names(pictures_example=[LOOPBACK], other_example=[LOOPBACK])
    trust = ssl.create_default_context(cafile=str(TLS / "certificate.pem"))
    port = secure_server.server_port
    assert fetch(f"https://pictures.example:{port}/picture.png", names, trust=trust) == b"pixels"
    with pytest.raises(Problem) as refused:
        fetch(f"https://other.example:{port}/picture.png", names, trust=trust)
    assert refused.value.code == ProblemCode.IMAGE_UNAVAILABLE
    assert refusal(f"https://pictures.example:{port}/picture.png", names) == ProblemCode.IMAGE_UNAVAILABLE
    assert secure_server.hosts == [f"pictures.example:{port}"]


def test_a_body_that_is_too_long_is_not_read_to_its_end(server: PictureServer) -> None:
    url = f"http://pictures.example:{server.server_port}/large"
    assert refusal(url, Names(pictures_example=[LOOPBACK])) == ProblemCode.IMAGE_TOO_LARGE


def test_what_gives_no_picture_is_unavailable(server: PictureServer) -> None:
    names = Names(pictures_example=[LOOPBACK])
    base = f"http://pictures.example:{server.server_port}"
    assert refusal(f"{base}/nothing", names) == ProblemCode.IMAGE_UNAVAILABLE
    assert refusal("http://unknown.example/a.png", names) == ProblemCode.IMAGE_UNAVAILABLE


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@pictures.example/a.png",
        "ftp://pictures.example/a",
        "http:///a",
        "file:///etc/passwd",
    ],
)
def test_a_url_of_another_kind_is_refused_before_anything_is_asked(url: str) -> None:
    names = Names(pictures_example=[LOOPBACK])
    assert refusal(url, names) == ProblemCode.IMAGE_URL_FORBIDDEN
    assert names.asked == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0x7f.1", "2130706433", "127.1", "0177.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_no_spelling_of_this_machine_gets_past_the_system_resolver(host: str, server: PictureServer) -> None:
    async def run() -> None:
        fetcher = ImageFetcher(1000, EgressGuard())
        try:
            await fetcher.fetch(f"http://{host}:{server.server_port}/picture.png")
        finally:
            await fetcher.close()

    with pytest.raises(Problem) as refused:
        asyncio.run(run())
    assert refused.value.code in {ProblemCode.IMAGE_URL_FORBIDDEN, ProblemCode.IMAGE_UNAVAILABLE}
    assert server.hosts == []
