"""Doorbells through a real broker, to a worker that polls only every ten minutes."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.local.health import answers
from infra.local.ports import free_ports
from infra.local.services import READY_PATH
from services.worker.broker.celery_app import create_celery_app
from shared.doorbells import doorbell_task
from shared.jobs import JobState, Queue
from shared.settings import BrokerSettings
from tests.support.platforms.platform import PlatformUnderTest, eventually
from tests.support.platforms.worker_process import is_passed_over, overlooked_job, ring, working_process
from tests.support.servers.rabbitmq import RabbitServer


def ring_too_late(broker_url: str) -> None:
    """Send a doorbell that has expired when it arrives, as after a pause of the broker."""
    with create_celery_app(BrokerSettings(broker_url=SecretStr(broker_url))) as app:
        app.send_task(doorbell_task(Queue.GENERATE), queue=Queue.GENERATE.value, expires=-1)


def test_a_doorbell_wakes_an_idle_worker_which_is_ready_for_its_probes(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    port = free_ports(1)[0]
    with working_process(platform, tmp_path, broker_url, WORKER_HEALTH_PORT=str(port)):
        job_id = overlooked_job(platform)
        ring(broker_url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        assert answers(f"http://127.0.0.1:{port}{READY_PATH}")


def test_an_expired_doorbell_wakes_no_worker_and_does_not_block_the_next(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    with working_process(platform, tmp_path, broker_url) as worker:
        job_id = overlooked_job(platform)
        ring_too_late(broker_url)
        eventually(lambda: worker.says("Discarding revoked task"), "the arrival of the late doorbell")
        assert is_passed_over(platform, job_id)
        ring(broker_url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED


@pytest.mark.long
def test_a_worker_receives_doorbells_again_after_a_restart_of_rabbitmq(
    platform: PlatformUnderTest, rabbitmq: RabbitServer, tmp_path: Path
) -> None:
    with working_process(platform, tmp_path, rabbitmq.url) as worker:
        with rabbitmq.away():
            eventually(lambda: worker.says("Connection to broker lost"), "the worker's notice of it")
        eventually(lambda: rabbitmq.consumers(Queue.GENERATE) == 1, "the worker's return")
        job_id = overlooked_job(platform)
        ring(rabbitmq.url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED
