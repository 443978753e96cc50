"""Measure webhooks: kill the io worker under deliveries, and time messages from commit to receiver.

    python -m benchmarks.webhooks --out docs/benchmarks/webhooks.json

kills    deliveries while the io worker is killed with SIGKILL: each message must arrive at least once, and
         only those whose try was running at a kill may arrive twice
prompt   milliseconds from the event in the database until the message arrives, one event at a time
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, update

from benchmarks.machine import describe_machine
from benchmarks.webhook_receiver import Arrivals, receiving
from infra.local.installation import migrate
from infra.local.process import ManagedProcess
from infra.local.services import celery_worker
from infra.local.stack import EmbeddedStack
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import NewJob, submit_job
from shared.job_store.clock import database_time, time_after
from shared.jobs import Queue
from shared.security import generate_webhook_secret
from shared.settings import DatabaseSettings
from shared.tables import Delivery, DeliveryState, JobEventRow, Project, WebhookEndpoint

ROOT = Path(__file__).parents[1]
TIMEOUT_SECONDS = 1.0
ANSWER_SECONDS = 0.05
"""Time until the receiver answers while the io worker is killed, so that tries are running at each kill."""
PATIENCE_SECONDS = 300.0
PENDING = Delivery.state == DeliveryState.PENDING.value


@dataclass(frozen=True)
class KillReport:
    """The messages that arrived while the io worker was killed."""

    deliveries: int
    kills: int
    arrived: int
    """Messages that arrived at least once."""
    requests: int
    running_at_kills: int
    """Tries that were running at the kills."""
    twice: int
    """Messages that arrived more than once."""
    twice_without_kill: list[str]
    """Those of them that arrived more often than kills explain; must be empty."""
    changed: list[str]
    """Messages whose body differed between tries; must be empty."""
    seconds: float


class Outbox:
    """A project with one endpoint, whose events a test makes."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        with database.transaction() as session:
            project = Project(name=f"webhooks {url}", webhook_secret=generate_webhook_secret())
            session.add(project)
            session.flush()
            self._project_id = project.id
            session.add(
                WebhookEndpoint(
                    project_id=project.id,
                    url=url,
                    event_types=["job.queued"],
                    secret=generate_webhook_secret(),
                )
            )

    def queue(self) -> UUID:
        """Make one event: a job is queued. Returns the job's id."""
        request = {"task": "text_to_image", "prompt": "a red circle"}
        new = NewJob(self._project_id, Queue.GENERATE, "text_to_image", request, max_failures=3)
        with self._database.transaction() as session:
            return submit_job(session, new).id

    def running(self) -> set[str]:
        """Ids of the messages that an io worker holds; a lease that has ended counts no more."""
        wanted = select(Delivery.id).where(
            PENDING, Delivery.lease_owner.is_not(None), Delivery.next_try_at > database_time()
        )
        with self._database.transaction() as session:
            return {format_id(IdKind.DELIVERY, one) for one in session.scalars(wanted)}

    def end_leases(self) -> None:
        """Make the deliveries of a killed io worker due."""
        with self._database.transaction() as session:
            held = update(Delivery).where(PENDING, Delivery.lease_owner.is_not(None))
            session.execute(held.values(next_try_at=time_after(-1)))

    def pending(self) -> int:
        """Number of deliveries that are not done."""
        with self._database.transaction() as session:
            return len(session.scalars(select(Delivery.id).where(PENDING)).all())

    def event_time(self, job_id: UUID) -> float:
        """Unix time of the job's first event, by the database's clock."""
        with self._database.transaction() as session:
            return session.get_one(JobEventRow, (job_id, 1)).created_at.timestamp()


@contextmanager
def io_worker(environment: Mapping[str, str], folder: Path) -> Generator[ManagedProcess]:
    """An io worker's process, which is started and killed inside the block."""
    own = {
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
        "WEBHOOK_MAX_PER_SECOND": "1000",
        "PYTHONPATH": str(ROOT),
    }
    spec = celery_worker("io-worker", "io", 2, 10.0).spec.with_environment({**environment, **own})
    process = ManagedProcess(spec, folder / "io-worker.log")
    try:
        yield process
    finally:
        process.stop()


def kill(process: ManagedProcess) -> None:
    """Kill the process with SIGKILL and wait for its end."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    while process.exit_status() is None:
        time.sleep(0.01)


def deliver_under_kills(
    environment: Mapping[str, str], database: Database, folder: Path, deliveries: int, kills: int
) -> KillReport:
    """Queue deliveries, kill the io worker at random points of them, and count what arrives.

    environment: addresses of the servers, with the database that `database` uses.
    """
    arrivals = Arrivals(ANSWER_SECONDS)
    points = sorted(random.Random(7).sample(range(1, deliveries - 8), kills))  # noqa: S311  (equal every time)
    held: list[set[str]] = []
    with receiving(arrivals) as url, io_worker(environment, folder) as process:
        outbox = Outbox(database, url)
        for _ in range(deliveries):
            outbox.queue()
        started = time.monotonic()
        for point in points:
            process.start()
            assert arrivals.wait_for(point, PATIENCE_SECONDS), "the io worker sends nothing"
            kill(process)
            held.append(outbox.running())
            outbox.end_leases()
        process.start()
        assert arrivals.wait_for(deliveries, PATIENCE_SECONDS), "not every message has arrived"
        while outbox.pending():
            time.sleep(0.05)
        seconds = time.monotonic() - started
    counts = Counter(arrivals.ids)
    explained = Counter(message for running in held for message in running)
    return KillReport(
        deliveries=deliveries,
        kills=kills,
        arrived=len(counts),
        requests=len(arrivals.ids),
        running_at_kills=explained.total(),
        twice=sum(count > 1 for count in counts.values()),
        twice_without_kill=[one for one, count in counts.items() if count > 1 + explained[one]],
        changed=arrivals.changed,
        seconds=round(seconds, 1),
    )


def prompt_milliseconds(
    environment: Mapping[str, str], database: Database, folder: Path, events: int
) -> list[float]:
    """Milliseconds from each event until its message arrives, sorted; the io worker is idle."""
    arrivals = Arrivals()
    pauses = random.Random(8)  # noqa: S311  (equal every time)
    jobs: list[UUID] = []
    with receiving(arrivals) as url, io_worker(environment, folder) as process:
        outbox = Outbox(database, url)
        process.start()
        outbox.queue()
        assert arrivals.wait_for(1, PATIENCE_SECONDS), "the io worker sends nothing"
        for number in range(events):
            time.sleep(pauses.uniform(0.0, 0.5))
            jobs.append(outbox.queue())
            assert arrivals.wait_for(number + 2, PATIENCE_SECONDS), "a message did not arrive"
    begun = [outbox.event_time(job_id) for job_id in jobs]
    return sorted(1000 * (end - begin) for begin, end in zip(begun, arrivals.times[1:], strict=True))


def main() -> None:
    """Run both on servers of their own, and write the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--deliveries", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--events", type=int, default=200)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="luminary-benchmark-") as name,
        EmbeddedStack(Path(name) / "stack", environment={}) as stack,
    ):
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        database = Database(DatabaseSettings.model_validate({"url": stack.environment["DATABASE_URL"]}))
        report = deliver_under_kills(
            stack.environment, database, Path(name), arguments.deliveries, arguments.kills
        )
        times = prompt_milliseconds(stack.environment, database, Path(name), arguments.events)
        database.dispose()
    results = {
        "machine": describe_machine(),
        "kills": vars(report),
        "prompt": {
            "events": len(times),
            "p50_ms": round(times[len(times) // 2], 1),
            "p99_ms": round(times[len(times) * 99 // 100], 1),
        },
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
