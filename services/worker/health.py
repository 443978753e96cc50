"""Liveness, readiness and metrics of a worker process over HTTP, for container platforms and Prometheus."""

import logging
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from services.worker.settings import HealthSettings
from shared.error_words import words_of
from shared.metrics import metrics_text

logger = logging.getLogger(__name__)

ALIVE_PATH, READY_PATH = "/healthz", "/readyz"
"""The same paths as those of the gateway and of the tokenizer service."""
METRICS_PATH = "/metrics"
SILENT_SECONDS = 300.0
"""A heartbeat thread that has begun no round for this long hangs. An unreachable database costs a round at
most its connection and statement timeouts, so an outage does not restart workers."""


class Health:
    """What a worker's probes are answered. It is alive from its start on, and ready once its parts say so."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_beat: float | None = None
        self._is_ready: Callable[[], bool] = lambda: False

    def beat(self) -> None:
        """Note that a round of the heartbeat has begun, whether or not the database will answer."""
        self._last_beat = self._clock()

    def started(self, is_ready: Callable[[], bool]) -> None:
        """From now on `is_ready` decides; before, the worker is alive and not ready: it loads its model."""
        self._is_ready = is_ready

    def is_alive(self) -> bool:
        """Whether the heartbeat, once begun, goes on."""
        return self._last_beat is None or self._clock() - self._last_beat < SILENT_SECONDS

    def is_ready(self) -> bool:
        """Whether the worker claims jobs."""
        return self._is_ready()


class ProbeServer(ThreadingHTTPServer):
    """The server's threads; a probe that has stopped waiting leaves no traceback in the log."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a fault of an answer in one line; a client that has hung up is none."""
        del request, client_address
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            logger.warning("a probe could not be answered", extra={"reason": words_of(error)})


class HealthServer:
    """Answers the probes in threads of its own, from before the model is loaded until the process ends."""

    def __init__(self, settings: HealthSettings, health: Health) -> None:
        """Listen on the port. Raises OSError when it is in use."""
        checks = {ALIVE_PATH: health.is_alive, READY_PATH: health.is_ready}

        class Answer(BaseHTTPRequestHandler):
            """200 or 503 for the two checks, the metrics, 404 for other paths."""

            timeout = 10

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                check = checks.get(path)
                if path == METRICS_PATH:
                    self._answer(HTTPStatus.OK, metrics_text(), CONTENT_TYPE_LATEST)
                    return
                if check is None:
                    status = HTTPStatus.NOT_FOUND
                else:
                    status = HTTPStatus.OK if check() else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, f"{status.phrase.lower()}\n".encode(), "text/plain; charset=utf-8")

            def _answer(self, status: HTTPStatus, body: bytes, media_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Probes come every few seconds and are not logged."""

        self._server = ProbeServer((settings.host, settings.port or 0), Answer)
        Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def serve_health(settings: HealthSettings) -> Health:
    """The health of this process, answered over HTTP if a port is set. Raises SystemExit if it is in use."""
    health = Health()
    if settings.port is not None:
        try:
            HealthServer(settings, health)
        except OSError as error:
            raise SystemExit(
                f"worker: WORKER_HEALTH_PORT: cannot listen on {settings.host}:{settings.port}:"
                f" {error.strerror}"
            ) from error
    return health
