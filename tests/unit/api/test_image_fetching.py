"""Fetching a client's URL: from the address that was checked, within limits, and from nowhere else."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from services.api.image_fetching import Address, ImageFetcher
from services.api.problems import Problem, ProblemCode

TLS = Path(__file__).parent / "tls"
"""A self-signed certificate of pictures.example with its key, made for these tests alone."""
LOOPBACK = ip_address("127.0.0.1")
PUBLIC = ip_address("93.184.216.34")


class Pictures(BaseHTTPRequestHandler):
    """A small web server; what it was asked is kept on the server object."""

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
        """Say nothing."""


class PictureServer(ThreadingHTTPServer):
    """The server, and the hosts that it was asked for."""

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
    """A name server: every name has the next of its answers, the last one for ever."""

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
) -> bytes:
    """Fetch with a name server of the test's own; `allowed` plays the public internet."""

    async def run() -> bytes:
        fetcher = ImageFetcher(
            1000, is_allowed=lambda address: address in allowed, resolve=names.resolve, trust=trust
        )
        try:
            return await fetcher.fetch(url)
        finally:
            await fetcher.close()

    return asyncio.run(run())


def refusal(url: str, names: Names, allowed: Sequence[Address] = (LOOPBACK,)) -> ProblemCode:
    with pytest.raises(Problem) as refused:
        fetch(url, names, allowed)
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


@pytest.fixture
def secure_server(server: PictureServer) -> PictureServer:
    """The server with a certificate of pictures.example."""
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
        fetcher = ImageFetcher(1000)
        try:
            await fetcher.fetch(f"http://{host}:{server.server_port}/picture.png")
        finally:
            await fetcher.close()

    with pytest.raises(Problem) as refused:
        asyncio.run(run())
    assert refused.value.code in {ProblemCode.IMAGE_URL_FORBIDDEN, ProblemCode.IMAGE_UNAVAILABLE}
    assert server.hosts == []
