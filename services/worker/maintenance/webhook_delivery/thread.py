"""A thread with an event loop that sends webhooks: claims, sends and records, many deliveries at once."""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import TypeVar

from sqlalchemy.orm import Session

from services.worker.maintenance.webhook_delivery.bulkheads import Bulkheads, Limits
from services.worker.maintenance.webhook_delivery.outcomes import Answer, TryError, outcome_of
from services.worker.maintenance.webhook_delivery.rows import (
    ClaimedDelivery,
    SentTry,
    claim_deliveries,
    compose_message,
    record_try,
)
from services.worker.maintenance.webhook_delivery.sending import Sender
from services.worker.maintenance.webhook_delivery.try_metrics import count_try
from services.worker.maintenance.webhook_delivery.try_spans import add_answer, message_id, try_span
from services.worker.metrics import WEBHOOKS_IN_FLIGHT
from services.worker.outages import DATABASE
from services.worker.patience import DATABASE_FAULTS, Patience
from shared.database import Database
from shared.egress.client import GuardedClient, resolver
from shared.error_words import words_of
from shared.event_types import ENDPOINT_TEST
from shared.ids import IdKind, format_id
from shared.settings import WebhookSettings
from shared.webhooks.signatures import signed_headers
from shared.webhooks.urls import guard_of

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

LEASE_MARGIN_SECONDS = 5.0
"""Time for making and recording a message, in addition to the limit of its try, before another io worker may
repeat it."""
LATEST_SECONDS = LEASE_MARGIN_SECONDS / 2
"""Time after the claim until which a try may begin."""
OUTAGE_SECONDS = 1.0
"""Pause after a fault of the database."""
STOP_SECONDS = 5.0
"""Time for running requests when the io worker ends; those that are cut off are sent again."""
DATABASE_THREADS = 4
CHANCE = secrets.SystemRandom()


class WebhookThread:
    """Sends webhooks until it is stopped. Several processes may do so at once."""

    def __init__(self, database: Database, settings: WebhookSettings, public_url: str) -> None:
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._database = database
        self._settings = settings
        self._public_url = public_url
        self._lease_seconds = settings.timeout_seconds + LEASE_MARGIN_SECONDS
        limits = Limits(settings.max_in_flight, settings.max_in_flight_per_receiver, settings.max_per_second)
        self._bulkheads = Bulkheads(limits)
        self._database_threads = ThreadPoolExecutor(DATABASE_THREADS, "webhook-rows")
        # one thread for each request, so that a slow name server delays no other receiver
        self._name_threads = ThreadPoolExecutor(settings.max_in_flight, "webhook-names")
        WEBHOOKS_IN_FLIGHT.set_function(lambda: self._bulkheads.in_flight)
        self._stopping = Event()
        self._patience = Patience(time.sleep, settings.timeout_seconds)
        self._thread = Thread(target=self._serve, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no more requests, wait for running ones, and end the thread; the database stays open."""
        self._stopping.set()
        self._thread.join()
        self._database_threads.shutdown()
        self._name_threads.shutdown(wait=False, cancel_futures=True)

    def _serve(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        client = GuardedClient(
            guard_of(self._settings),
            seconds=self._settings.timeout_seconds,
            connections=self._settings.max_in_flight,
            headers={"Content-Type": "application/json", "Accept": "*/*"},
            resolve=resolver(self._name_threads),
        )
        sender = Sender(client, self._settings.timeout_seconds)
        requests: set[asyncio.Task[None]] = set()
        while not self._stopping.is_set():
            claimed = await self._claim()
            latest = time.monotonic() + LATEST_SECONDS
            for delivery in claimed:
                self._bulkheads.begin(delivery.receiver, time.monotonic())
                request = asyncio.create_task(self._deliver(sender, delivery, latest))
                requests.add(request)
                request.add_done_callback(requests.discard)
            if not claimed:
                await first_of(requests, self._settings.poll_seconds)
        if requests:
            await asyncio.wait(requests, timeout=STOP_SECONDS)
        await client.close()

    async def _claim(self) -> Sequence[ClaimedDelivery]:
        """Deliveries to send now; none while the database does not answer."""
        started = time.monotonic()
        room = self._bulkheads.room(started)
        if not room.free:
            return []
        try:
            claimed = await self._in_transaction(
                lambda session: claim_deliveries(session, self.owner, self._lease_seconds, room)
            )
        except DATABASE_FAULTS as error:
            DATABASE.failed(words_of(error), started)
            await asyncio.sleep(OUTAGE_SECONDS)
            return []
        DATABASE.answered()
        return claimed

    async def _deliver(self, sender: Sender, claimed: ClaimedDelivery, latest: float) -> None:
        """Send a delivery once and record it. If it cannot be recorded, it is sent again after its lease."""
        try:
            sent = await self._try(sender, claimed, latest)
            if sent is not None:
                await self._record(claimed, sent)
        except DATABASE_FAULTS as error:
            logger.warning("a webhook was not recorded", extra={**named(claimed), "reason": words_of(error)})
        finally:
            self._bulkheads.end(claimed.receiver)

    async def _try(self, sender: Sender, claimed: ClaimedDelivery, latest: float) -> SentTry | None:
        """Send the message once; None if its job was deleted, or making the message took until `latest`."""
        signature = ""
        try:
            body = claimed.body or await self._in_transaction(
                lambda session: compose_message(session, claimed, self._public_url)
            )
            if body is None or time.monotonic() > latest:
                return None
            content = body.encode()
            headers = signed_headers(
                message_id(claimed), claimed.claimed_at, content, claimed.scheme, claimed.secrets
            )
            signature = headers["webhook-signature"]
            with try_span(claimed) as span:
                answer = await sender.post(claimed.url, headers, content)
                add_answer(span, answer)
            return SentTry(signature, answer)
        except DATABASE_FAULTS:
            raise
        except Exception:
            # one delivery that cannot be sent must not end the thread that sends all others
            logger.exception("a webhook could not be sent", extra=named(claimed))
            return SentTry(signature, Answer(0.0, error=TryError.INTERNAL_ERROR))

    async def _record(self, claimed: ClaimedDelivery, sent: SentTry) -> None:
        answer = sent.answer
        pauses = [] if claimed.event_type == ENDPOINT_TEST else self._settings.retry_seconds
        outcome = outcome_of(answer, claimed.failures, pauses, claimed.claimed_at, CHANCE.random())
        longest = self._settings.disable_after_seconds

        def record(session: Session) -> bool:
            return record_try(session, claimed, sent, outcome, longest)

        recorded = await self._in_thread(lambda: self._patience.insist(lambda: self._transact(record)))
        if recorded:
            count_try(claimed, answer, outcome)
        if answer.error is not None or not recorded:
            logger.info(
                "a webhook was not delivered" if recorded else "another io worker has this webhook",
                extra={**named(claimed), "status": answer.status, "error": answer.error},
            )

    def _transact(self, action: Callable[[Session], Value]) -> Value:
        with self._database.transaction() as session:
            return action(session)

    async def _in_transaction(self, action: Callable[[Session], Value]) -> Value:
        """Run a transaction in a thread."""
        return await self._in_thread(lambda: self._transact(action))

    async def _in_thread(self, call: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._database_threads, call)


async def first_of(requests: Collection[asyncio.Task[None]], seconds: float) -> None:
    """Wait until a request has ended, at most for `seconds`."""
    if requests:
        await asyncio.wait(requests, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    else:
        await asyncio.sleep(seconds)


def named(claimed: ClaimedDelivery) -> dict[str, str | int]:
    """Fields of log lines about a try; URLs are not logged."""
    return {
        "delivery_id": message_id(claimed),
        "endpoint_id": format_id(IdKind.WEBHOOK_ENDPOINT, claimed.endpoint_id),
        "try": claimed.number,
    }
