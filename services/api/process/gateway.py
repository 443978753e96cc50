"""Everything that the gateway keeps open, created once and closed in reverse order."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.api.http.metrics import Metrics
from services.api.process.acting import Purpose, acting_project, as_platform
from services.api.process.content_credentials import ContentCredentials
from services.api.process.doorbell import Doorbells
from services.api.process.fleet import FleetMetrics
from services.api.process.image_fetching import ImageFetcher
from services.api.process.image_tokenizer import ImageTokenizer
from services.api.process.last_uses import LastUses
from services.api.process.readiness import BROKER, POSTGRES, STORAGE, Probe
from services.api.process.reads import Reads, replica_of
from services.api.process.request_counts import RequestCounts
from services.api.process.storage_calls import StorageCalls
from services.api.process.submission_turns import SubmissionTurns
from services.api.process.waits import Waits
from services.api.process.work import WorkMetrics
from services.api.process.write_probe import WriteProbe
from services.api.settings import GatewayProcessSettings, GatewaySettings
from shared.async_database import AsyncDatabase
from shared.egress.guard import EgressGuard
from shared.events import EventPublisher, EventSubscriber
from shared.pictures.decoders import DecoderLimits, Decoders
from shared.tables import Project
from shared.walls import Wall
from shared.webhooks.urls import guard_of

PROBES_IN_THREADS = 2
"""One thread each for broker and storage, so that neither probe waits for the other."""


@dataclass(frozen=True)
class Gateway:
    """The resources that routes use."""

    settings: GatewayProcessSettings
    database: AsyncDatabase
    reads: Reads
    """Transactions that only read, perhaps on a replica."""
    storage: StorageCalls
    doorbell: Doorbells
    subscriber: EventSubscriber | None
    """None without a Redis-protocol server; waiting requests then poll the database."""
    fetcher: ImageFetcher
    metrics: Metrics
    work: WorkMetrics
    """The figures of /metrics that are read from the database."""
    probes: Mapping[str, Probe]
    turns: SubmissionTurns
    webhook_guard: EgressGuard
    """Decides which URLs webhooks may have."""
    fleet: FleetMetrics
    decoders: Decoders
    """Child processes that decode clients' pictures, shared fairly between projects."""
    credentials: ContentCredentials | None
    """Signs drawn pictures; None if they are sent as they are stored."""
    image_tokenizer: ImageTokenizer
    """Encodes pictures whose provenance is checked."""
    last_uses: LastUses
    request_counts: RequestCounts
    waits: Waits
    """Requests that wait for the end of a job."""


@asynccontextmanager
async def open_gateway(
    settings: GatewayProcessSettings,
    metrics: Metrics,
    before_commit: Callable[[Session], object],
    owner_of: Callable[[], UUID | None],
) -> AsyncGenerator[Gateway]:
    """Create the clients. None connects yet, so the gateway starts even while a server is unreachable.

    before_commit: called in each transaction before it is committed. owner_of: the project of a task.
    """
    async with AsyncExitStack() as stack:
        redis_url = settings.broker.redis_url
        publisher = None if redis_url is None else EventPublisher(redis_url.get_secret_value())
        if publisher is not None:
            stack.push_async_callback(asyncio.to_thread, publisher.close)
        wall = Wall(acting_project, is_required=settings.gateway.require_row_security)
        database = AsyncDatabase(
            settings.database,
            publisher and publisher.announce,
            before_commit=before_commit,
            owner_of=owner_of,
            wall=wall,
        )
        stack.push_async_callback(database.dispose)
        request_counts = RequestCounts(None if redis_url is None else redis_url.get_secret_value())
        stack.push_async_callback(request_counts.close)
        last_uses = LastUses(database)
        stack.push_async_callback(last_uses.close)
        reads = Reads(database, replica_of(settings.database, settings.gateway.replica_url, wall), metrics)
        stack.push_async_callback(reads.dispose)
        storage = StorageCalls(settings.storage)
        stack.push_async_callback(storage.close)
        doorbell = Doorbells(settings.broker, metrics)
        stack.push_async_callback(asyncio.to_thread, doorbell.close)
        subscriber = None
        if redis_url is not None:
            subscriber = EventSubscriber(redis_url.get_secret_value())
            stack.push_async_callback(subscriber.close)
        fetcher = ImageFetcher(
            settings.gateway.max_body_bytes,
            EgressGuard(ports=settings.gateway.fetch_ports, refused=settings.gateway.fetch_refused),
        )
        stack.push_async_callback(fetcher.close)
        decoders = make_decoders(settings.gateway)
        stack.push_async_callback(decoders.close)
        image_tokenizer = ImageTokenizer(settings.tokenizer)
        stack.push_async_callback(image_tokenizer.close)
        probing = ThreadPoolExecutor(PROBES_IN_THREADS, "readiness")
        stack.callback(probing.shutdown, wait=False, cancel_futures=True)
        probes = make_probes(database, doorbell, storage, probing)
        for probe in probes.values():
            stack.push_async_callback(probe.close)
        yield Gateway(
            settings=settings,
            database=database,
            reads=reads,
            storage=storage,
            doorbell=doorbell,
            subscriber=subscriber,
            fetcher=fetcher,
            metrics=metrics,
            work=WorkMetrics(database, metrics),
            probes=probes,
            turns=SubmissionTurns(),
            webhook_guard=guard_of(settings.webhooks),
            fleet=FleetMetrics(database, metrics, settings.jobs.lease_seconds),
            decoders=decoders,
            credentials=ContentCredentials.of(settings.provenance),
            image_tokenizer=image_tokenizer,
            last_uses=last_uses,
            request_counts=request_counts,
            waits=Waits(settings.gateway.max_waits_per_project),
        )


def make_decoders(settings: GatewaySettings) -> Decoders:
    """The decoders. A project can occupy all but one of them; they start with the first picture."""
    return Decoders(
        DecoderLimits(
            processes=settings.decoders,
            per_key=max(1, settings.decoders - 1),
            cpu_seconds=settings.decode_seconds,
        )
    )


def make_probes(
    database: AsyncDatabase, doorbell: Doorbells, storage: StorageCalls, threads: ThreadPoolExecutor
) -> dict[str, Probe]:
    """A probe for each server behind the gateway; checks that block run in threads."""

    async def in_thread(check: Callable[[], bool]) -> bool:
        return await asyncio.get_running_loop().run_in_executor(threads, check)

    writes = WriteProbe(database)

    async def keeps_jobs() -> bool:
        """Whether the schema exists and rows can be written."""
        try:
            async with as_platform(Purpose.PROBES), database.transaction() as session:
                await session.execute(select(Project.id).limit(1))
        except SQLAlchemyError:
            return False
        return await writes.takes_writes()

    return {
        POSTGRES: Probe(keeps_jobs),
        BROKER: Probe(lambda: in_thread(doorbell.is_reachable)),
        STORAGE: Probe(lambda: in_thread(storage.is_reachable)),
    }
