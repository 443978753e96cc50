"""Watch one process of the platform: start it, check that it serves, restart it when it ends or freezes."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from infra.local.proc import is_stopped
from infra.local.process import ManagedProcess
from infra.local.pulse import Pulse
from infra.local.run_file import ProcessState, RunningProcess

FIRST_RESTART_SECONDS = 1.0
LONGEST_RESTART_SECONDS = 30.0
STABLE_SECONDS = 60.0
"""A process that has served for this long gets a short pause again before its next restart."""
PULSE_SECONDS = 5.0
READY_PULSE_SECONDS = 0.3
FROZEN_SECONDS = 30.0
"""A process that is stopped or does not answer for this long is killed and restarted."""
TRIES_UNTIL_REPORTED = 3

Report = Callable[[str], None]


@dataclass(frozen=True)
class Questions:
    """The checks of one process, and the preparation of its restart."""

    is_ready: Callable[[], bool]
    """Whether the process is ready after its start; may block for some seconds."""
    ready_seconds: float
    """Time limit for the start."""
    still_answers: Callable[[], bool] | None = None
    """Whether a process that was ready still serves; None if there is no such check."""
    before_start: Callable[[], None] = lambda: None
    """Removes locks and sockets of a killed process; called before each restart."""


class WatchedProcess:
    """State machine of one process. All methods are called in the supervisor's main thread.

    Only the main thread may start a child: on Linux the child's parent-death signal is sent when the thread
    that started it ends. All methods but `wait_until_ready` return at once.
    """

    def __init__(
        self, process: ManagedProcess, questions: Questions, *, frozen_seconds: float = FROZEN_SECONDS
    ) -> None:
        self.process = process
        self.restarts = 0
        self.state = ProcessState.STARTING
        self._questions = questions
        self._frozen_seconds = frozen_seconds
        self._pulse: Pulse | None = None
        self._tries = 0
        """Restarts since the process last served for STABLE_SECONDS."""
        self._restart_at: float | None = None
        self._started_at = 0.0
        self._outage_began: float | None = None
        self._serving_since: float | None = None
        self._stopped_since: float | None = None

    @property
    def name(self) -> str:
        """Name of the process."""
        return self.process.name

    def start(self) -> None:
        """Start the process for the first time."""
        self.process.start()
        self._started_at = time.monotonic()

    def wait_until_ready(self) -> None:
        """Wait until the process is ready. Raises ProcessError when it ends first or takes too long."""
        self.process.wait_until(self._questions.is_ready, self._questions.ready_seconds)
        self.state = ProcessState.RUNNING

    def begin(self) -> None:
        """Begin the periodic checks: for readiness, or for liveness if the process is ready already."""
        if self.state is ProcessState.RUNNING:
            self._serve()
        else:
            self._ask(self._questions.is_ready, READY_PULSE_SECONDS)

    def describe(self) -> RunningProcess:
        """The entry of this process in the run file."""
        process = self.process
        return RunningProcess(self.name, process.pid or 0, process.started, self.restarts, self.state)

    def watch(self, report: Report) -> bool:
        """Check the process once and act on the result; return whether its state or process id has changed.

        Raises ProcessError when the first start fails without a kill: a restart would not help.
        """
        before = self.describe()
        match self.state:
            case ProcessState.STARTING:
                self._watch_start(report)
            case ProcessState.RUNNING:
                self._watch_running(report)
            case _:
                self._watch_restart(report)
        return self.describe() != before

    def forgive(self) -> None:
        """Restart all time limits after a pause of the supervisor itself."""
        if self._pulse is not None:
            self._pulse.forgive()
        self._stopped_since = None
        self._started_at = time.monotonic()

    def close(self) -> None:
        """Stop watching."""
        self._ask(None, 0.0)

    def _watch_start(self, report: Report) -> None:
        ended = self.process.exit_status()
        if ended is not None and ended >= 0:
            raise self.process.ended_early(ended)
        if ended is not None:
            self._begin_outage(report, describe_end(ended))
        elif self._has_answered:
            self._serve()
        elif time.monotonic() - self._started_at > self._questions.ready_seconds:
            raise self.process.not_ready(self._questions.ready_seconds)

    @property
    def _has_answered(self) -> bool:
        return self._pulse is not None and self._pulse.has_answered

    def _watch_running(self, report: Report) -> None:
        now = time.monotonic()
        if self._serving_since is not None and now - self._serving_since > STABLE_SECONDS:
            self._tries = 0
        ended = self.process.exit_status()
        if ended is not None:
            self._begin_outage(report, describe_end(ended))
        elif (silent := self._silent_seconds()) > self._frozen_seconds:
            self._begin_outage(report, f"has not answered for {silent:.0f} s")

    def _silent_seconds(self) -> float:
        """Seconds for which the process has been stopped or has not answered, whichever is longer."""
        now = time.monotonic()
        if not is_stopped(self.process.pid or 0):
            self._stopped_since = None
        elif self._stopped_since is None:
            self._stopped_since = now
        stopped = now - self._stopped_since if self._stopped_since is not None else 0.0
        return max(stopped, self._pulse.silent_seconds() if self._pulse else 0.0)

    def _begin_outage(self, report: Report, what: str) -> None:
        self._outage_began = time.monotonic()
        pause = self._schedule()
        report(f"{self.name} {what}; restarting it in {pause:.0f} s")

    def _schedule(self) -> float:
        """Kill the process and schedule its next start; return the pause, which grows with each try."""
        self._ask(None, 0.0)
        self.process.kill()
        self.state = ProcessState.RESTARTING
        self._serving_since, self._stopped_since = None, None
        pause = min(FIRST_RESTART_SECONDS * 2.0**self._tries, LONGEST_RESTART_SECONDS)
        self._restart_at = time.monotonic() + pause
        return pause

    def _watch_restart(self, report: Report) -> None:
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._start_again()
        elif self.process.exit_status() is not None or now - self._started_at > self._questions.ready_seconds:
            self._schedule()
            if self._tries == TRIES_UNTIL_REPORTED:
                report(f"{self.name} does not start; its log is {self.process.log_file}")
        elif self._has_answered:
            lasted = now - (self._outage_began or now)
            self._serve()
            report(f"{self.name} serves again after {lasted:.0f} s")

    def _start_again(self) -> None:
        self._restart_at = None
        self._tries += 1
        self.restarts += 1
        self._questions.before_start()
        self.process.start()
        self._started_at = time.monotonic()
        self._ask(self._questions.is_ready, READY_PULSE_SECONDS)

    def _serve(self) -> None:
        """Mark the process as running and begin its liveness checks."""
        self.state = ProcessState.RUNNING
        self._serving_since = time.monotonic()
        self._ask(self._questions.still_answers, PULSE_SECONDS)

    def _ask(self, check: Callable[[], bool] | None, seconds: float) -> None:
        """Replace the periodic check by this one; None stops it."""
        if self._pulse is not None:
            self._pulse.close()
        self._pulse = Pulse(self.name, check, seconds) if check is not None else None


def describe_end(status: int) -> str:
    """The end of a process in words: `was killed (SIGKILL)` or `ended with status 1`."""
    return f"was killed ({signal.Signals(-status).name})" if status < 0 else f"ended with status {status}"
