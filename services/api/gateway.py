"""Everything that the gateway holds open, made once and closed in order."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from services.api.doorbell import Doorbell
from services.api.image_fetching import ImageFetcher
from services.api.metrics import Metrics
from services.api.readiness import BROKER, POSTGRES, STORAGE, Probe
from shared.async_database import AsyncDatabase
from shared.events import EventSubscriber
from shared.settings import Settings
from shared.storage import ObjectStorage
from shared.tables import Project

DECODERS = 2
"""Pictures that one gateway decodes at a time."""


@dataclass(frozen=True)
class Gateway:
    """What routes work with."""

    settings: Settings
    database: AsyncDatabase
    storage: ObjectStorage
    doorbell: Doorbell
    subscriber: EventSubscriber | None
    """None without a Redis-protocol server; waiting requests then look by themselves."""
    fetcher: ImageFetcher
    metrics: Metrics
    probes: Mapping[str, Probe]
    decoders: asyncio.Semaphore
    """Held while a picture is decoded: each may take 160 MB."""


@asynccontextmanager
async def open_gateway(settings: Settings, metrics: Metrics) -> AsyncGenerator[Gateway]:
    """Make the clients; nothing is asked yet, so the gateway starts while a server is away."""
    async with AsyncExitStack() as stack:
        database = AsyncDatabase(settings.database)
        stack.push_async_callback(database.dispose)
        storage = ObjectStorage(settings.storage)
        doorbell = Doorbell(settings.broker.broker_url.get_secret_value(), metrics)
        stack.push_async_callback(asyncio.to_thread, doorbell.close)
        subscriber = None
        if settings.broker.redis_url is not None:
            subscriber = EventSubscriber(settings.broker.redis_url.get_secret_value())
            stack.push_async_callback(subscriber.close)
        fetcher = ImageFetcher(settings.gateway.max_body_bytes)
        stack.push_async_callback(fetcher.close)
        probes = make_probes(database, doorbell, storage)
        for probe in probes.values():
            stack.push_async_callback(probe.close)
        yield Gateway(
            settings=settings,
            database=database,
            storage=storage,
            doorbell=doorbell,
            subscriber=subscriber,
            fetcher=fetcher,
            metrics=metrics,
            probes=probes,
            decoders=asyncio.Semaphore(DECODERS),
        )


def make_probes(database: AsyncDatabase, doorbell: Doorbell, storage: ObjectStorage) -> dict[str, Probe]:
    """One question to each server behind the gateway."""

    async def has_a_schema() -> bool:
        try:
            async with database.transaction() as session:
                await session.execute(select(Project.id).limit(1))
        except SQLAlchemyError:
            return False
        return True

    return {
        POSTGRES: Probe(has_a_schema),
        BROKER: Probe(lambda: asyncio.to_thread(doorbell.is_reachable)),
        STORAGE: Probe(lambda: asyncio.to_thread(storage.is_reachable)),
    }
