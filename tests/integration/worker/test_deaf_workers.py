"""Test doorbells: a worker that receives none exits; a worker whose broker is down keeps running."""

from pathlib import Path
from typing import cast

import valkey
from celery import Celery

from infra.local.stack import EmbeddedStack
from services.worker.broker.doorbells import send_bells
from services.worker.broker.self_ping import OWN_DOORBELL_TASK, own_queue
from services.worker.job.token_checkpoint import TokenCheckpoint
from shared.jobs import JobState
from tests.support.platforms.platform import PlatformUnderTest, eventually
from tests.support.platforms.worker_process import last_heartbeat, overlooked_job, ring, working_process
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.tcp_proxy import proxied

LONG = {"size": "704x704", "n": 4}
"""A job of 31,000 codes, which take longer than the worker needs to notice missing doorbells."""
EVERY_SECOND = {"WORKER_OWN_DOORBELL_SECONDS": "1"}
NOT_RUNG = "the broker does not answer"


def test_a_worker_that_receives_no_messages_hands_its_job_back_and_exits(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    job_id = platform.ask(**LONG)
    with (
        proxied(broker_url) as (proxy, url),
        working_process(platform, tmp_path, url, **EVERY_SECOND) as worker,
    ):
        checkpoint = TokenCheckpoint.from_bytes(platform.started_drawing(job_id))
        proxy.withhold_messages()
        assert worker.exited() == 0
        assert worker.log().count("the broker accepts messages but does not deliver them here") == 1

    job = platform.job(job_id)
    assert (job.state, job.interruptions, job.failures) == (JobState.QUEUED, 1, 0)
    assert any(candidate.codes for candidate in checkpoint.candidates)


def test_a_worker_whose_broker_is_down_keeps_running_and_receives_the_next_doorbell(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    with (
        proxied(broker_url) as (proxy, url),
        working_process(platform, tmp_path, url, **EVERY_SECOND) as worker,
    ):
        with proxy.refusing():
            eventually(lambda: proxy.refused > 4, "more failed rounds than lead to an exit")
            assert worker.log().count(NOT_RUNG) == 1
        job_id = overlooked_job(platform)
        ring(broker_url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        assert worker.process.exit_status() is None


def test_rabbitmq_deletes_the_queue_of_a_worker_that_has_left(
    platform: PlatformUnderTest, rabbitmq: RabbitServer, tmp_path: Path
) -> None:
    with working_process(platform, tmp_path, rabbitmq.url):
        [worker_id] = eventually(lambda: last_heartbeat(platform), "the worker's row")
        queue = own_queue(worker_id).name
        assert rabbitmq.consumers(queue) == 1

    eventually(lambda: not rabbitmq.has_queue(queue), "the end of the queue")


def test_redis_deletes_the_test_doorbell_of_a_killed_worker(celery_app: Celery, stack: EmbeddedStack) -> None:
    queue = own_queue("killed-1-0")
    assert send_bells(celery_app, OWN_DOORBELL_TASK, queue, 90.0)
    with valkey.Valkey.from_url(stack.environment["BROKER_URL"]) as client:
        assert 0 < cast("int", client.pttl(queue.name)) <= 600_000
