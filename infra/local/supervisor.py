"""The supervisor: starts servers and services in order, runs migrations, restarts what fails, stops all."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from infra.local.disk import DiskWatch, check_disk
from infra.local.health import questions_for, watched_environment
from infra.local.installation import keep_admin_key, keep_api_key, migrate
from infra.local.introduction import introduce
from infra.local.kept_key import ADMIN_FILE, keep_key, read_kept_key
from infra.local.logs import LogFollower, LogPrinter
from infra.local.ports import PortReservations
from infra.local.process import ManagedProcess
from infra.local.rotation import rotate_logs
from infra.local.run_file import ProcessState, Run, boot_id, write_run
from infra.local.services import Platform, define_platform
from infra.local.signing_certificate import signing_environment
from infra.local.stack import EmbeddedStack
from infra.local.watched import FROZEN_SECONDS, WatchedProcess

WATCH_SECONDS = 0.2
HOUSEKEEPING_SECONDS = 10.0
LOST_SECONDS = 5.0
"""After a pause of the supervisor itself longer than this, unanswered checks are not counted."""
PRIVATE_UMASK = 0o077


class StopRequested(BaseException):
    """SIGINT or SIGTERM has arrived; raised in the main thread, so that every `finally` runs in order."""


def raise_stop(_signal: int, _frame: FrameType | None) -> None:
    """Signal handler: raise StopRequested, and ignore further signals while the platform stops."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise StopRequested


class Supervisor:
    """Runs the platform until SIGINT or SIGTERM, then stops every process."""

    def __init__(
        self,
        folder: Path,
        report: Callable[[str], None],
        define: Callable[[Mapping[str, str], PortReservations], Platform] = define_platform,
        *,
        frozen_seconds: float = FROZEN_SECONDS,
    ) -> None:
        """folder: holds all data and logs.

        report: shows one line to the user.
        define: returns the services to run.
        frozen_seconds: a process that is stopped or does not answer for this long is killed and restarted.
        """
        self._folder = folder.absolute()
        self._report = report
        self._define = define
        self._frozen_seconds = frozen_seconds
        self._services: list[WatchedProcess] = []
        self._stack = EmbeddedStack(self._folder, frozen_seconds=frozen_seconds)
        self._disk = DiskWatch(self._folder, report)
        self._last_look = 0.0
        self._next_housekeeping = 0.0
        self._url = ""

    @property
    def _watched(self) -> list[WatchedProcess]:
        """All processes, in the order of their start."""
        return [*self._stack.servers, *self._services]

    def run(self) -> None:
        """Start, watch and stop the platform. Raises ProcessError when a process does not start."""
        os.umask(PRIVATE_UMASK)
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
        """Start and watch everything until a signal arrives; `running` stops it in reverse order."""
        started = time.monotonic()
        check_disk(self._folder)
        self._report(f"data and logs in {self._folder}; starting the servers")
        # before the servers choose ports, so that none takes a port that the environment names
        platform = self._define(os.environ, running.enter_context(PortReservations()))
        self._url = platform.gateway_url
        running.enter_context(self._stack)
        database_url = self._stack.environment.get("DATABASE_URL") or os.environ["DATABASE_URL"]
        migrate(self._stack.postgres.owner_url() if self._stack.postgres else database_url)
        key = keep_api_key(database_url, read_kept_key(self._folder))
        admin = keep_admin_key(database_url, read_kept_key(self._folder, ADMIN_FILE))
        keep_key(self._folder, admin.token, ADMIN_FILE)
        self._report(f"starting {', '.join(service.spec.name for service in platform.services)}")
        self._start(platform, database_url, running)
        while any(service.state is ProcessState.STARTING for service in self._services):
            self._look()
            time.sleep(WATCH_SECONDS)
        seconds = time.monotonic() - started
        self._report(f"Luminary is ready after {seconds:.0f} s: {self._url}")
        introduce(self._folder, self._url, key, self._report)
        self._watch()

    def _start(self, platform: Platform, database_url: str, running: ExitStack) -> None:
        signing = signing_environment(self._folder, os.environ)
        own = {**self._stack.environment, **platform.environment, **signing}
        environment = watched_environment(os.environ, own)
        for service in platform.services:
            spec = service.spec.with_environment(environment)
            process = ManagedProcess(spec, self._stack.log_folder / f"{spec.name}.log")
            running.callback(process.stop)
            questions = questions_for(service, process, database_url)
            watched = WatchedProcess(process, questions, frozen_seconds=self._frozen_seconds)
            watched.start()
            self._services.append(watched)
        running.callback(self._request_stop)
        for watched in self._watched:
            watched.begin()
        self._write_run()

    def _request_stop(self) -> None:
        """Send the stop signal to all services at once; their stops do not depend on each other."""
        for watched in self._watched:
            watched.close()
        for watched in self._services:
            watched.process.request_stop()

    def _watch(self) -> None:
        """Watch all processes and show the services' logs; the servers' logs stay in their files."""
        names = [watched.name for watched in self._services]
        follower, printer = LogFollower(self._stack.log_folder, names=names), LogPrinter()
        while True:
            printer.show(follower.new_lines())
            self._look()
            time.sleep(WATCH_SECONDS)

    def _look(self) -> None:
        """Check all processes once, and do the housekeeping when it is due."""
        now = time.monotonic()
        if self._last_look and now - self._last_look > LOST_SECONDS:
            for watched in self._watched:
                watched.forgive()
        changed = [watched for watched in self._watched if watched.watch(self._report)]
        if changed:
            self._write_run()
        if now >= self._next_housekeeping:
            self._next_housekeeping = now + HOUSEKEEPING_SECONDS
            self._keep_house()
        self._last_look = time.monotonic()

    def _keep_house(self) -> None:
        self._disk.look()
        try:
            rotate_logs(self._stack.log_folder)
        except OSError as error:
            self._report(f"the logs could not be rotated: {error.strerror}")

    def _write_run(self) -> None:
        processes = tuple(watched.describe() for watched in self._watched)
        try:
            write_run(self._folder, Run(os.getpid(), self._url, processes, boot_id()))
        except OSError as error:
            self._report(f"`luminary status` may be out of date: {error.strerror}")
