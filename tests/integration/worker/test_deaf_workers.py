"""A worker's doorbell to itself: deaf, it leaves; without a broker, it stays."""

from pathlib import Path

import valkey
from celery import Celery

from infra.local.stack import EmbeddedStack
from services.worker.doorbells import send_bells
from services.worker.own_doorbell import OWN_DOORBELL_TASK, own_queue
from services.worker.token_checkpoint import TokenCheckpoint
from shared.jobs import JobState
from tests.integration.rabbitmq import RabbitServer
from tests.integration.tcp_proxy import proxied
from tests.integration.worker.platform import PlatformUnderTest, eventually
from tests.integration.worker.worker_process import last_heartbeat, overlooked_job, ring, working_process

LONG = {"size": "704x704", "n": 4}
"""31,000 codes: not drawn before the worker has noticed its deafness."""
EVERY_SECOND = {"WORKER_OWN_DOORBELL_SECONDS": "1"}
NOT_RUNG = "doorbell not rung"


def test_a_worker_whose_connection_brings_nothing_leaves_and_hands_its_job_back(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    job_id = platform.ask(**LONG)
    with (
        proxied(broker_url) as (proxy, url),
        working_process(platform, tmp_path, url, **EVERY_SECOND) as worker,
    ):
        checkpoint = TokenCheckpoint.from_bytes(platform.started_drawing(job_id))
        proxy.deafen()
        assert worker.exited() == 0
        assert worker.log().count("the broker takes doorbells and none arrives") == 1

    job = platform.job(job_id)
    assert (job.state, job.interruptions, job.failures) == (JobState.QUEUED, 1, 0)
    assert any(candidate.codes for candidate in checkpoint.candidates)


def test_a_worker_whose_broker_takes_no_doorbells_stays_and_hears_the_next(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    with (
        proxied(broker_url) as (proxy, url),
        working_process(platform, tmp_path, url, **EVERY_SECOND) as worker,
    ):
        with proxy.refusing():
            eventually(lambda: worker.log().count(NOT_RUNG) > 4, "more failed rounds than a deaf worker has")
        job_id = overlooked_job(platform)
        ring(broker_url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        assert worker.process.exit_status() is None


def test_rabbitmq_forgets_the_queue_of_a_worker_that_has_left(
    platform: PlatformUnderTest, rabbitmq: RabbitServer, tmp_path: Path
) -> None:
    with working_process(platform, tmp_path, rabbitmq.url):
        [worker_id] = eventually(lambda: last_heartbeat(platform), "the worker's row")
        queue = own_queue(worker_id).name
        assert rabbitmq.consumers(queue) == 1

    eventually(lambda: not rabbitmq.has_queue(queue), "the end of the queue")


def test_redis_forgets_the_bell_of_a_worker_that_was_killed_before_it_came(
    celery_app: Celery, stack: EmbeddedStack
) -> None:
    queue = own_queue("killed-1-0")
    assert send_bells(celery_app, OWN_DOORBELL_TASK, queue, 90.0)
    with valkey.Valkey.from_url(stack.environment["BROKER_URL"]) as client:
        assert 0 < client.pttl(queue.name) <= 600_000
