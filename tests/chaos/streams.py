"""A reader of the project's event stream in a chaos run: every durable event arrives once, in order."""

import contextlib
import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field

import httpx2
import psycopg

from shared.ids import IdKind, format_id
from tests.chaos.pausing import pause

AGAIN_SECONDS = 0.3
SETTLE_SECONDS = 60.0
SILENT_SECONDS = 40.0
"""Longer than two pings of a stream."""
EVENTS = """
SELECT job_id, sequence FROM job_events e
JOIN jobs j ON j.id = e.job_id JOIN projects p ON p.id = j.project_id
WHERE p.name = %s AND j.created_at >= %s
"""
NOW = "SELECT clock_timestamp()"


@dataclass
class StreamReader:
    """A client that follows all events of its project, over as many connections as it takes."""

    url: str
    key: str
    project: str
    database_url: str
    connections: int = 0
    _seen: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """The numbers of each job's events, in order of arrival."""
    _last_id: str | None = None

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._live = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream reader", daemon=True)
        with psycopg.connect(self.database_url) as connection:
            self._since = connection.execute(NOW).fetchone() or ()

    def start(self) -> None:
        """Start reading, and wait for the first connection."""
        self._thread.start()
        self._live.wait()

    def misses(self) -> list[str]:
        """Stop when everything has arrived, at the latest after SETTLE_SECONDS; a line for each fault."""
        found: list[str] = []
        for _ in range(int(SETTLE_SECONDS / AGAIN_SECONDS)):
            found = list(self._faults())
            if not found:
                break
            pause(AGAIN_SECONDS)
        self._stopping.set()
        return found

    def _faults(self) -> list[str]:
        expected: dict[str, list[int]] = defaultdict(list)
        with psycopg.connect(self.database_url) as connection:
            for job_id, sequence in connection.execute(EVENTS, (self.project, *self._since)):
                expected[format_id(IdKind.JOB, job_id)].append(sequence)
        return [
            f"stream: events {self._seen.get(job, [])} of {job} instead of {sorted(numbers)}"
            for job, numbers in expected.items()
            if self._seen.get(job, []) != sorted(numbers)
        ]

    def _run(self) -> None:
        with httpx2.Client(timeout=SILENT_SECONDS) as http:
            while not self._stopping.is_set():
                with contextlib.suppress(httpx2.TransportError):
                    self._read(http)
                pause(AGAIN_SECONDS)

    def _read(self, http: httpx2.Client) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        with http.stream("GET", f"{self.url}/v1/events?types=job.*", headers=headers) as answer:
            if not answer.is_success:
                return
            self.connections += 1
            for line in answer.iter_lines():
                self._take(line)
                if self._stopping.is_set():
                    return

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name == "id":
            self._last_id = value.strip()
            self._live.set()
        elif name == "data":
            event = json.loads(value)
            if "sequence" in event:
                self._seen[event["job_id"]].append(event["sequence"])
