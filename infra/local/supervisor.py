"""The whole platform on one machine: servers, migrations, services; watched, restarted, stopped in order."""

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from infra.local.installation import first_api_key, has_registered, migrate
from infra.local.logs import LogFollower, LogPrinter
from infra.local.ports import PortReservations, is_listening
from infra.local.process import ManagedProcess
from infra.local.rotation import rotate_logs
from infra.local.run_file import Run, RunningProcess, write_run
from infra.local.services import Platform, Service, define_platform
from infra.local.stack import EmbeddedStack

READY_SECONDS = 120.0
MODEL_SECONDS = 1800.0
"""A large model may take long to load."""
ROTATE_SECONDS = 10.0
PLAIN_LOGS = {"LOG_FORMAT": "plain"}
"""The reader is a person, unless the environment says otherwise."""
WATCH_SECONDS = 0.2
HTTP_PORT = 80
FIRST_RESTART_SECONDS = 1.0
LONGEST_RESTART_SECONDS = 30.0


class StopRequested(BaseException):
    """SIGINT or SIGTERM came; raised in the main thread, so that every `finally` runs in order."""


def raise_stop(_signal: int, _frame: FrameType | None) -> None:
    """Signal handler. Further signals are ignored: stopping is already on its way."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise StopRequested


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  (our own http:// address)
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


class WatchedService:
    """A service that is started again when it ends by itself, later each time."""

    def __init__(self, service: Service, environment: Mapping[str, str], log_folder: Path) -> None:
        spec = service.spec.with_environment(environment)
        self.service = service
        self.process = ManagedProcess(spec, log_folder / f"{spec.name}.log")
        self.restarts = 0
        self._restart_at: float | None = None

    def wait_until_ready(self, database_url: str) -> None:
        """Return when it serves; ProcessError when it does not come up."""
        url = self.service.ready_url
        if url is not None:
            self.process.wait_until(lambda: self._listens(url) and answers(url), READY_SECONDS)
        if self.service.registers:
            self.process.wait_until(
                lambda: has_registered(database_url, self.process.pid or 0), MODEL_SECONDS
            )

    def _listens(self, url: str) -> bool:
        return is_listening(self.process.pid or 0, urlsplit(url).port or HTTP_PORT)

    def watch(self, report: Callable[[str], None]) -> bool:
        """Start it again if it has ended and its pause is over; returns whether it was started."""
        status = self.process.exit_status()
        if status is None:
            return False
        if self._restart_at is None:
            pause = min(FIRST_RESTART_SECONDS * 2.0**self.restarts, LONGEST_RESTART_SECONDS)
            report(f"{self.process.name} ended with status {status}; starts again in {pause:.0f} s")
            self._restart_at = time.monotonic() + pause
        if time.monotonic() < self._restart_at:
            return False
        self._restart_at = None
        self.restarts += 1
        self.process.start()
        return True


class Supervisor:
    """Runs everything until SIGINT or SIGTERM; afterwards no process is left."""

    def __init__(
        self,
        folder: Path,
        report: Callable[[str], None],
        define: Callable[[Mapping[str, str], PortReservations], Platform] = define_platform,
    ) -> None:
        """All data lies below `folder`; `report` shows one line to the user; `define` says what to run."""
        self._folder = folder.absolute()
        self._report = report
        self._define = define
        self._watched: list[WatchedService] = []
        self._stack = EmbeddedStack(self._folder)

    def run(self) -> None:
        """Start, watch, stop. Raises ProcessError when something does not start."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, raise_stop)
        try:
            with ExitStack() as running:
                try:
                    self._run(running)
                except StopRequested:
                    self._report("stopping; the worker hands its jobs back first")
                    raise
        except StopRequested:
            self._report("stopped")

    def _run(self, running: ExitStack) -> None:
        """Everything up to the signal; `running` stops in the opposite order what was started."""
        started = time.monotonic()
        self._report(f"data and logs in {self._folder}; starting the servers")
        # before the servers choose theirs: a port that the environment names comes first
        platform = self._define(os.environ, running.enter_context(PortReservations()))
        running.enter_context(self._stack)
        database_url = self._stack.environment.get("DATABASE_URL") or os.environ["DATABASE_URL"]
        migrate(database_url)
        self._report(f"starting {', '.join(service.spec.name for service in platform.services)}")
        self._start(platform, database_url, running)
        seconds = time.monotonic() - started
        self._report(f"Luminary is ready after {seconds:.0f} s: {platform.gateway_url}")
        self._introduce(platform.gateway_url, database_url)
        self._watch(platform)

    def _introduce(self, gateway_url: str, database_url: str) -> None:
        """Hand a new installation its first API key, once, with a request to try it on."""
        self._report(f"reference of the API: {gateway_url}/docs; Ctrl-C stops everything")
        key = first_api_key(database_url)
        if key is None:
            self._report("your API key is the one of the first start; `luminary key` makes another")
            return
        self._report(f"API key, shown only now (`luminary key` makes another): {key}")
        self._report(
            f"try: curl {gateway_url}/v1/jobs -H 'Authorization: Bearer {key}' "
            "-H 'Content-Type: application/json' -H 'Prefer: wait=60' "
            """-d '{"prompt": "a red ball", "seed": 7}'"""
        )
        self._report("the answer has the address of the picture in outputs[0].url; it takes the same key")

    def _start(self, platform: Platform, database_url: str, running: ExitStack) -> None:
        environment = {**self._stack.environment, **platform.environment}
        if not os.environ.get("LOG_FORMAT"):
            environment |= PLAIN_LOGS
        for service in platform.services:
            watched = WatchedService(service, environment, self._stack.log_folder)
            running.callback(watched.process.stop)
            watched.process.start()
            self._watched.append(watched)
            self._write_run(platform)
        running.callback(self._request_stop)
        for watched in self._watched:
            watched.wait_until_ready(database_url)

    def _request_stop(self) -> None:
        """Tell all services at once: each takes its time, and none needs another to leave."""
        for watched in self._watched:
            watched.process.request_stop()

    def _watch(self, platform: Platform) -> None:
        """Show what the services log; the servers' lines are for their files."""
        names = [watched.process.name for watched in self._watched]
        follower, printer = LogFollower(self._stack.log_folder, names=names), LogPrinter()
        rotate_at = time.monotonic()
        while True:
            printer.show(follower.new_lines())
            started = [watched for watched in self._watched if watched.watch(self._report)]
            if started:
                self._write_run(platform)
            if time.monotonic() >= rotate_at:
                rotate_logs(self._stack.log_folder)
                rotate_at = time.monotonic() + ROTATE_SECONDS
            time.sleep(WATCH_SECONDS)

    def _write_run(self, platform: Platform) -> None:
        servers = [RunningProcess(process.name, process.pid or 0) for process in self._stack.processes]
        services = [
            RunningProcess(watched.process.name, watched.process.pid or 0, watched.restarts)
            for watched in self._watched
        ]
        write_run(self._folder, Run(os.getpid(), platform.gateway_url, (*servers, *services)))
