"""Send the most expensive request bodies, with and without an API key: `python -m benchmarks.worst_bodies`.

For each case the table has the statuses, the total time, the gateway's peak memory, and the slowest response
of /healthz during the case. The gateway guarantees less than 300 MiB and 100 ms.
"""

import base64
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.gateway_watch import WatchedGateway, watched_gateway
from benchmarks.health_probe import HOST

LARGE = 33_000_000
CHUNK = 1 << 16
PATIENCE_SECONDS = 60.0
LEAST_SECONDS = 2.0
"""A case is repeated for at least this long, so that there are enough samples of /healthz."""
JSON = "application/json"

NESTED = b'{"prompt": "x", "metadata": ' + b"[" * (LARGE - 100)
WIDE = b'{"prompt": "x", "metadata": [' + b"[]," * ((LARGE - 100) // 3) + b"0]}"
EVENTS = (
    b'{"prompt": "x", "webhook": {"url": "https://a.b", "events": [' + b'"job.done",' * 1_000_000 + b'""]}}'
)
DIGITS = b'{"prompt": "x", "seed": ' + b"9" * (LARGE - 100) + b"}"
BLANKS = b'{"prompt": "x"' + b" " * (LARGE - 100) + b"}"
LONG_URL = b'{"prompt": "x", "webhook": {"url": "https://a.b/' + b"c" * 8_000_000 + b'"}}'
PICTURE = (
    b'{"task": "edit", "prompt": "x", "image": "data:image/png;base64,'
    + base64.b64encode(os.urandom(LARGE // 4 * 3 - 300))
    + b'"}'
)
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    + os.urandom(LARGE)
    + b"\r\n--x--\r\n"
)


def head(path: str, media_type: str, length: int, key: str | None) -> bytes:
    """The request line and headers of a POST."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        f"Content-Type: {media_type}",
        f"Content-Length: {length}",
    ]
    lines += [f"Authorization: Bearer {key}"] if key else []
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(connection: socket.socket) -> str:
    """The status of the answer; the name of the error, or `closed`, if there is no answer."""
    try:
        answer = connection.recv(64)
    except OSError as error:
        return type(error).__name__
    return answer[9:12].decode() if answer else "closed"


def post(
    gateway: WatchedGateway, path: str, media_type: str, body: bytes, key: str | None, *, sent: int
) -> str:
    """Send the first `sent` bytes of a body without pauses, and wait for the answer."""
    with socket.create_connection((HOST, gateway.port), timeout=PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(head(path, media_type, len(body), key))
            for start in range(0, sent, CHUNK):
                connection.sendall(body[start : min(start + CHUNK, sent)])
        except OSError:
            pass  # the gateway has answered early, or has closed the connection
        return status_of(connection)


def at_once(times: int, send: Callable[[], str]) -> list[str]:
    """Call `send` in several threads at the same time; return all results."""
    with ThreadPoolExecutor(times) as clients:
        return [future.result() for future in [clients.submit(send) for _ in range(times)]]


def slow_headers(gateway: WatchedGateway, connections: int) -> list[str]:
    """Open connections that never finish their headers; return the statuses."""
    opened: list[socket.socket] = []
    try:
        for _ in range(connections):
            connection = socket.create_connection((HOST, gateway.port), timeout=PATIENCE_SECONDS)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"x" * 8000)
            opened.append(connection)
        return [status_of(connection) for connection in opened]
    finally:
        for connection in opened:
            connection.close()


Case = tuple[str, Callable[[], Sequence[str]]]


def cases(gateway: WatchedGateway) -> list[Case]:
    """All cases with their names."""
    jobs, images, key = "/v1/jobs", "/v1/images", gateway.key

    def whole(body: bytes, key: str | None, times: int = 1) -> Callable[[], Sequence[str]]:
        return lambda: at_once(times, lambda: post(gateway, jobs, JSON, body, key, sent=len(body)))

    def half(body: bytes, key: str | None, times: int) -> Callable[[], Sequence[str]]:
        return lambda: at_once(times, lambda: post(gateway, jobs, JSON, body, key, sent=len(body) // 2))

    def form(times: int) -> Callable[[], Sequence[str]]:
        media_type = "multipart/form-data; boundary=x"
        return lambda: at_once(times, lambda: post(gateway, images, media_type, FORM, key, sent=len(FORM)))

    return [
        ("no key: 33 MB nested JSON", whole(NESTED, None)),
        ("no key: ten times 33 MB nested JSON", whole(NESTED, None, 10)),
        ("no key: ten half-sent bodies of 33 MB", half(NESTED, None, 10)),
        ("no key: 600 connections with half a head", lambda: slow_headers(gateway, 600)),
        ("key: 33 MB nested JSON", whole(NESTED, key)),
        ("key: 33 MB of empty lists", whole(WIDE, key)),
        ("key: one million wrong events", whole(EVENTS, key)),
        ("key: a number of 33 MB", whole(DIGITS, key)),
        ("key: 33 MB of blanks", whole(BLANKS, key)),
        ("key: a webhook URL of 8 MB", whole(LONG_URL, key)),
        ("key: ten half-sent bodies of 33 MB", half(PICTURE, key, 10)),
        ("key: 33 MB of base64 that is not a picture", whole(PICTURE, key)),
        ("key: four times 33 MB of base64", whole(PICTURE, key, 4)),
        ("key: four forms of 33 MB", form(4)),
    ]


def main() -> None:
    """Run all cases and print the table."""
    with watched_gateway() as gateway:
        print(
            "| case | answers | s | peak MiB | /healthz median ms | slowest ms |\n|---|---|---|---|---|---|"
        )
        with gateway.watched() as quiet:
            time.sleep(3)
        print(f"| nothing | | 3.0 | {quiet.peak_mib:.0f} | {quiet.median_ms:.1f} | {quiet.slowest_ms:.1f} |")
        for name, run in cases(gateway):
            answers: Counter[str] = Counter()
            with gateway.watched() as watch:
                began = time.perf_counter()
                while (seconds := time.perf_counter() - began) < LEAST_SECONDS:
                    answers.update(run())
            statuses = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
            statuses += f"; {watch.refused_probes} probes refused" if watch.refused_probes else ""
            print(
                f"| {name} | {statuses} | {seconds:.1f} | {watch.peak_mib:.0f} | {watch.median_ms:.1f} "
                f"| {watch.slowest_ms:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
