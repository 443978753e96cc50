"""Doorbells and RabbitMQ: what it does with them when nobody listens, and ringing while it is frozen."""

from collections.abc import Iterator

import pytest
from celery import Celery
from kombu import Exchange
from kombu import Queue as KombuQueue
from pydantic import SecretStr

from services.api.doorbell import Doorbell
from services.api.metrics import Metrics
from services.worker import doorbells
from services.worker.celery_app import create_celery_app
from services.worker.doorbells import ring_doorbell
from shared.jobs import Queue
from shared.settings import BrokerSettings
from tests.integration.rabbitmq import RabbitServer, connect
from tests.integration.worker.platform import eventually

EXPIRED, GRAVES = "expired", "graves"


@pytest.fixture
def celery_app(rabbitmq: RabbitServer) -> Iterator[Celery]:
    """Celery as the workers set it up, on a broker without queues of theirs."""
    delete_queues(rabbitmq)  # a worker's queue would not take other arguments
    with create_celery_app(BrokerSettings(broker_url=SecretStr(rabbitmq.url))) as app:
        yield app
    delete_queues(rabbitmq)


def delete_queues(rabbitmq: RabbitServer) -> None:
    """Delete what workers and these tests declare, where it exists."""
    with connect(rabbitmq.port) as connection:
        channel = connection.channel()
        for queue in (*Queue, GRAVES):
            channel.queue_delete(queue)


def rung(metrics: Metrics, outcome: str) -> float:
    """How many doorbells of the gateway went so."""
    labels = {"queue": Queue.EDIT.value, "outcome": outcome}
    return metrics.registry.get_sample_value("luminary_gateway_doorbells_total", labels) or 0.0


def test_rabbitmq_itself_drops_a_doorbell_that_nobody_hears(
    rabbitmq: RabbitServer, celery_app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbells, "EXPIRES_SECONDS", 1)
    # what the queue drops goes to another one, with the reason
    dead_letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": GRAVES}
    celery_app.amqp.queues.add(
        KombuQueue(Queue.GENERATE, Exchange(Queue.GENERATE), Queue.GENERATE, queue_arguments=dead_letters)
    )
    with connect(rabbitmq.port) as connection:
        channel = connection.channel()
        channel.queue_declare(GRAVES, durable=True, auto_delete=False)
        ring_doorbell(celery_app, Queue.GENERATE, 1)
        buried = eventually(lambda: channel.basic_get(GRAVES, no_ack=True), "the doorbell's expiry")

    [death] = buried.headers["x-death"]
    assert (death["reason"], death["queue"]) == (EXPIRED, Queue.GENERATE)


def test_a_worker_does_not_hang_on_a_rabbitmq_that_takes_no_doorbells(
    rabbitmq: RabbitServer, celery_app: Celery
) -> None:
    ring_doorbell(celery_app, Queue.GENERATE, 1)
    with rabbitmq.process.frozen():
        assert not ring_doorbell(celery_app, Queue.GENERATE, 1)
        assert not ring_doorbell(celery_app, Queue.DENSE, 1)
    assert ring_doorbell(celery_app, Queue.DENSE, 1)


def test_a_gateway_does_not_hang_on_a_rabbitmq_that_takes_no_doorbells(
    rabbitmq: RabbitServer, celery_app: Celery
) -> None:
    metrics = Metrics()
    doorbell = Doorbell(rabbitmq.url, metrics)
    try:
        doorbell.ring(Queue.EDIT)
        eventually(lambda: rung(metrics, "rung") == 1, "the first doorbell")
        with rabbitmq.process.frozen():
            doorbell.ring(Queue.EDIT)
            eventually(lambda: rung(metrics, "failed") == 1, "the failure of the second")
        doorbell.ring(Queue.EDIT)
        eventually(lambda: rung(metrics, "rung") == 2, "the third doorbell")
    finally:
        doorbell.close()
