"""Doorbells with RabbitMQ: they expire without a consumer, and sending does not hang on a frozen broker."""

from collections.abc import Iterator
from typing import cast

import pytest
from amqp import Message
from celery import Celery
from kombu.entity import Exchange
from kombu.entity import Queue as KombuQueue
from pydantic import SecretStr

from services.api.http.metrics import Metrics
from services.api.process.doorbell import Doorbell
from services.worker.broker import doorbells
from services.worker.broker.celery_app import create_celery_app
from services.worker.broker.doorbells import ring_doorbell
from shared.jobs import Queue
from shared.settings import BrokerSettings
from tests.support.platforms.platform import eventually
from tests.support.servers.rabbitmq import RabbitServer, connect

EXPIRED, GRAVES = "expired", "graves"


@pytest.fixture
def celery_app(rabbitmq: RabbitServer) -> Iterator[Celery]:
    """The workers' Celery application, on a broker without their queues."""
    delete_queues(rabbitmq)  # a queue that a worker has declared cannot be declared with other arguments
    with create_celery_app(BrokerSettings(broker_url=SecretStr(rabbitmq.url))) as app:
        yield app
    delete_queues(rabbitmq)


def delete_queues(rabbitmq: RabbitServer) -> None:
    """Delete the queues that workers and these tests declare."""
    with connect(rabbitmq.port) as connection:
        channel = connection.channel()
        for queue in (*Queue, GRAVES):
            channel.queue_delete(queue)


def rung(metrics: Metrics, outcome: str) -> float:
    """Number of doorbells of the gateway with this outcome."""
    labels = {"queue": Queue.EDIT.value, "outcome": outcome}
    return metrics.registry.get_sample_value("luminary_gateway_doorbells_total", labels) or 0.0


def test_rabbitmq_drops_a_doorbell_that_no_worker_receives(
    rabbitmq: RabbitServer, celery_app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbells, "EXPIRES_SECONDS", 1)
    # RabbitMQ moves expired messages to another queue and adds the reason
    dead_letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": GRAVES}
    celery_app.amqp.queues.add(
        KombuQueue(Queue.GENERATE, Exchange(Queue.GENERATE), Queue.GENERATE, queue_arguments=dead_letters)
    )
    with connect(rabbitmq.port) as connection:
        channel = connection.channel()
        channel.queue_declare(GRAVES, durable=True, auto_delete=False)
        ring_doorbell(celery_app, Queue.GENERATE, 1)
        buried = cast(
            "Message", eventually(lambda: channel.basic_get(GRAVES, no_ack=True), "the doorbell's expiry")
        )

    assert buried.headers is not None
    [death] = buried.headers["x-death"]
    assert (death["reason"], death["queue"]) == (EXPIRED, Queue.GENERATE)


def test_a_worker_does_not_hang_on_a_rabbitmq_that_accepts_no_doorbells(
    rabbitmq: RabbitServer, celery_app: Celery
) -> None:
    ring_doorbell(celery_app, Queue.GENERATE, 1)
    with rabbitmq.process.frozen():
        assert not ring_doorbell(celery_app, Queue.GENERATE, 1)
        assert not ring_doorbell(celery_app, Queue.DENSE, 1)
    assert ring_doorbell(celery_app, Queue.DENSE, 1)


def test_a_gateway_does_not_hang_on_a_rabbitmq_that_accepts_no_doorbells(
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
