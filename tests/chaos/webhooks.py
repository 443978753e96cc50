"""The webhooks of a chaos run: every event of every job arrives, signed, and with one body in all tries."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from standardwebhooks import Webhook, WebhookVerificationError

from shared.ids import IdKind, parse_id
from tests.chaos.client import Client
from tests.chaos.pausing import pause
from tests.chaos.work import SubmittedJob
from tests.support.servers.receiver import Handler, Received, receiving

SETTLE_SECONDS = 90.0
"""Longer than the lease of a try whose io worker was killed, and than the pause after a failed one."""
LOOK_SECONDS = 1.0
EVENTS = "SELECT sequence, 'job.' || kind FROM job_events WHERE job_id = %s"


@dataclass
class Hook:
    """A receiver, and what it has got."""

    webhook: Webhook
    bodies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """The body of each message, by its id."""
    events: set[tuple[str, int, str]] = field(default_factory=set[tuple[str, int, str]])
    """Job, number and type of each event that arrived."""
    faults: list[str] = field(default_factory=list[str])

    def answer(self, handler: Handler, received: Received) -> None:
        """Verify a message, note it and answer 204."""
        try:
            message: dict[str, Any] = self.webhook.verify(received.body, received.headers)
        except WebhookVerificationError as error:
            self.faults.append(f"webhook {received.id}: {error}")
        else:
            if self.bodies.setdefault(received.id, received.body) != received.body:
                self.faults.append(f"webhook {received.id} came with two bodies")
            self.events.add((message["data"]["job"]["id"], message["seq"], message["type"]))
        handler.reply(204)

    def misses(self, database_url: str, jobs: Sequence[SubmittedJob]) -> list[str]:
        """A line for each event that has not arrived, and for each message that was wrong."""
        missing: set[tuple[str, int, str]] = set()
        for _ in range(int(SETTLE_SECONDS / LOOK_SECONDS)):
            missing = {event for job in jobs for event in events_of(database_url, job)} - self.events
            if not missing:
                break
            pause(LOOK_SECONDS)
        return [*self.faults, *(f"no webhook for {event}" for event in sorted(missing))]


def events_of(database_url: str, job: SubmittedJob) -> Iterator[tuple[str, int, str]]:
    """The events of a job by the database."""
    with psycopg.connect(database_url) as connection:
        for sequence, event_type in connection.execute(EVENTS, [parse_id(IdKind.JOB, job.job_id)]):
            yield job.job_id, sequence, event_type


@contextmanager
def listening(client: Client) -> Iterator[Hook]:
    """Receive the events of the client's project until the block ends."""
    with receiving() as receiver:
        hook = Hook(Webhook(client.listen(receiver.url)))
        receiver.answer = hook.answer
        yield hook
