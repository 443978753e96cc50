"""Doorbells through a real broker to a worker that looks for jobs by itself only every ten minutes."""

from pathlib import Path

from pydantic import SecretStr

from services.worker.celery_app import create_celery_app
from services.worker.doorbells import doorbell_task
from shared.jobs import JobState, Queue
from shared.settings import BrokerSettings
from tests.integration.rabbitmq import RabbitServer
from tests.integration.worker.platform import PlatformUnderTest, eventually
from tests.integration.worker.worker_process import is_passed_over, overlooked_job, ring, working_process


def ring_too_late(broker_url: str) -> None:
    """Send a doorbell that has expired when it arrives, as after a broker's pause."""
    with create_celery_app(BrokerSettings(broker_url=SecretStr(broker_url))) as app:
        app.send_task(doorbell_task(Queue.GENERATE), queue=Queue.GENERATE.value, expires=-1)


def test_a_doorbell_wakes_an_idle_worker(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    with working_process(platform, tmp_path, broker_url):
        job_id = overlooked_job(platform)
        ring(broker_url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED


def test_a_doorbell_that_has_expired_wakes_nobody_and_is_in_nobodys_way(
    platform: PlatformUnderTest, broker_url: str, tmp_path: Path
) -> None:
    with working_process(platform, tmp_path, broker_url) as worker:
        job_id = overlooked_job(platform)
        ring_too_late(broker_url)
        eventually(lambda: worker.says("Discarding revoked task"), "the arrival of the late doorbell")
        assert is_passed_over(platform, job_id)
        ring(broker_url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED


def test_a_worker_hears_doorbells_again_when_its_rabbitmq_has_been_away(
    platform: PlatformUnderTest, rabbitmq: RabbitServer, tmp_path: Path
) -> None:
    with working_process(platform, tmp_path, rabbitmq.url) as worker:
        with rabbitmq.away():
            eventually(lambda: worker.says("Connection to broker lost"), "the worker's notice of it")
        eventually(lambda: rabbitmq.consumers(Queue.GENERATE) == 1, "the worker's return")
        job_id = overlooked_job(platform)
        ring(rabbitmq.url)
        assert platform.finished(job_id).state == JobState.SUCCEEDED
