"""Progress events through a real server of the Redis protocol, and without one."""

import asyncio
import socket
from uuid import UUID, uuid4

import pytest

from infra.local.ports import free_ports
from infra.local.stack import EmbeddedStack
from shared.async_database import AsyncDatabase
from shared.events import MOST_WAITING, EventPublisher, EventSubscriber
from shared.job_store import NewJob, submit_job
from shared.jobs import JobState, Queue
from shared.settings import DatabaseSettings
from shared.tables import Job


def test_a_listener_hears_what_is_published_after_its_first_yield(
    stack: EmbeddedStack, publisher: EventPublisher
) -> None:
    job_id, other = uuid4(), uuid4()

    async def hear() -> list[object]:
        subscriber = EventSubscriber(stack.environment["REDIS_URL"])
        heard: list[object] = []
        listening = subscriber.listen(job_id, quiet_seconds=10.0)
        heard.append(await anext(listening))
        publisher.publish(other, {"rows": 1})
        publisher.publish(job_id, {"rows": 2})
        heard.append(await anext(listening))
        await listening.aclose()
        await subscriber.close()
        return heard

    assert asyncio.run(hear()) == [None, {"rows": 2}]


def test_a_dead_server_only_costs_the_hint(caplog: pytest.LogCaptureFixture) -> None:
    publisher = EventPublisher(f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    publisher.publish(uuid4(), {"rows": 1})
    publisher.close()
    assert "the server for progress events does not answer" in caplog.text


def test_a_server_that_does_not_answer_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publisher = EventPublisher(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        taken = [publisher.publish(uuid4(), {"rows": rows}) for rows in range(2 * MOST_WAITING)]
        publisher.close()
    assert taken[0]
    assert not taken[-1]


def test_the_gateway_submits_through_the_same_functions(settings: DatabaseSettings, project_id: UUID) -> None:
    async def submit() -> Job:
        database = AsyncDatabase(settings)
        new = NewJob(project_id, Queue.EDIT, "edit", {"prompt": "make it blue"}, max_failures=3)
        async with database.transaction() as session:
            job = await session.run_sync(submit_job, new)
        await database.dispose()
        return job

    assert asyncio.run(submit()).state == JobState.QUEUED
