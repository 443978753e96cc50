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

from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from infra.local.logs import LogFollower, LogPrinter
from infra.local.process import ManagedProcess
from infra.local.run_file import Run, RunningProcess, write_run
from infra.local.services import Platform, Service, define_platform
from infra.local.stack import EmbeddedStack
from migrations import runner
from services.api.api_keys import create_first_key
from shared.database import Database, sqlalchemy_url
from shared.settings import DatabaseSettings

READY_SECONDS = 120.0
WATCH_SECONDS = 0.2
FIRST_RESTART_SECONDS = 1.0
LONGEST_RESTART_SECONDS = 30.0


class StopRequested(BaseException):
    """SIGINT or SIGTERM came; raised in the main thread, so that every `finally` runs in order."""


def raise_stop(_signal: int, _frame: FrameType | None) -> None:
    """Signal handler. Further signals are ignored: stopping is already on its way."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise StopRequested


def migrate(database_url: str) -> None:
    """Bring the database to the newest schema."""
    settings = DatabaseSettings(url=SecretStr(database_url))
    engine = create_engine(sqlalchemy_url(settings), poolclass=NullPool)
    with engine.begin() as connection:
        runner.upgrade(connection)


def first_api_key(database_url: str) -> str | None:
    """The key of a new installation, or None when it has one already."""
    database = Database(DatabaseSettings(url=SecretStr(database_url)))
    try:
        with database.transaction() as session:
            return create_first_key(session)
    finally:
        database.dispose()


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

    def wait_until_ready(self) -> None:
        """Return when it serves; ProcessError when it does not come up."""
        url = self.service.ready_url
        if url is not None:
            self.process.wait_until(lambda: answers(url), READY_SECONDS)

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
        define: Callable[[Mapping[str, str]], Platform] = define_platform,
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
                self._report(f"data in {self._folder}")
                running.enter_context(self._stack)
                environment = {**os.environ, **self._stack.environment}
                migrate(environment["DATABASE_URL"])
                platform = self._define(os.environ)
                self._start(platform, running)
                self._report(f"Luminary is ready: {platform.gateway_url}")
                self._introduce(platform.gateway_url, environment["DATABASE_URL"])
                self._watch(platform)
        except StopRequested:
            self._report("stopped")

    def _introduce(self, gateway_url: str, database_url: str) -> None:
        """Hand a new installation its first API key, once, with a request to try it on."""
        key = first_api_key(database_url)
        if key is None:
            return
        self._report(f"API key, shown only now: {key}")
        self._report(
            f"try: curl {gateway_url}/v1/jobs -H 'Authorization: Bearer {key}' "
            "-H 'Content-Type: application/json' -H 'Prefer: wait=60' "
            """-d '{"task": "text_to_image", "prompt": "a red ball", "size": "64x64", "seed": 7}'"""
        )

    def _start(self, platform: Platform, running: ExitStack) -> None:
        environment = {**self._stack.environment, **platform.environment}
        for service in platform.services:
            watched = WatchedService(service, environment, self._stack.log_folder)
            running.callback(watched.process.stop)
            watched.process.start()
            self._watched.append(watched)
            self._write_run(platform)
        for watched in self._watched:
            watched.wait_until_ready()

    def _watch(self, platform: Platform) -> None:
        follower, printer = LogFollower(self._stack.log_folder), LogPrinter()
        while True:
            printer.show(follower.new_lines())
            started = [watched for watched in self._watched if watched.watch(self._report)]
            if started:
                self._write_run(platform)
            time.sleep(WATCH_SECONDS)

    def _write_run(self, platform: Platform) -> None:
        servers = [RunningProcess(process.name, process.pid or 0) for process in self._stack.processes]
        services = [
            RunningProcess(watched.process.name, watched.process.pid or 0, watched.restarts)
            for watched in self._watched
        ]
        write_run(self._folder, Run(os.getpid(), platform.gateway_url, (*servers, *services)))
