"""The configuration of Celery for each kind of broker; test_doorbells.py tests its effect."""

import pytest
from celery import Celery
from kombu.entity import Queue as KombuQueue
from pydantic import SecretStr

from services.worker.broker.celery_app import create_celery_app
from shared.doorbells import doorbell_task
from shared.jobs import Queue
from shared.settings import BrokerSettings

REDIS = "redis://:secret@127.0.0.1:6379/0"
RABBITMQ = "amqp://luminary:secret@rabbitmq:5672/luminary"


def app_of(url: str) -> Celery:
    """The workers' Celery application for a broker."""
    return create_celery_app(BrokerSettings(broker_url=SecretStr(url)))


def consumed_queues(app: Celery) -> dict[str, KombuQueue]:
    """The queues that a worker declares with `--queues generate,edit,dense`."""
    app.amqp.queues.select([queue.value for queue in Queue])
    return dict(app.amqp.queues.consume_from)


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_each_queue_has_a_direct_exchange_with_its_name(url: str) -> None:
    queues = consumed_queues(app_of(url))

    assert set(queues) == {"generate", "edit", "dense"}
    for name, queue in queues.items():
        assert queue.exchange is not None
        assert (queue.exchange.name, queue.exchange.type, queue.routing_key) == (name, "direct", name)


def test_workers_declare_no_queues_that_rabbitmq_refuses() -> None:
    app = app_of(RABBITMQ)

    # RabbitMQ 4.3 refuses queues that are neither durable nor exclusive, such as those of remote control
    assert all(queue.durable for queue in consumed_queues(app).values())
    assert not app.conf.worker_enable_remote_control
    assert not app.conf.worker_send_task_events


def test_a_rabbitmq_that_vanishes_is_noticed() -> None:
    app = app_of(RABBITMQ)
    connection = app.connection_for_read(heartbeat=app.conf.broker_heartbeat)

    assert connection.transport.driver_type == "amqp"
    assert connection.transport.supports_heartbeats
    assert connection.heartbeat == 10
    assert connection.connect_timeout == 5
    # the timeouts end a wait for an answer, but not a consumer's wait for messages, which heartbeats guard
    assert connection.transport_options == {"read_timeout": 5, "write_timeout": 5, "confirm_publish": True}


def test_a_redis_that_vanishes_is_noticed() -> None:
    options = app_of(REDIS).connection_for_read().transport_options

    # both are needed: without the timeout, the health check is never reached
    assert options["socket_timeout"] == options["health_check_interval"] == 5
    assert options["socket_keepalive"]


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_workers_try_to_connect_to_their_broker_for_ever(url: str) -> None:
    configuration = app_of(url).conf

    assert configuration.broker_connection_retry_on_startup
    assert configuration.broker_connection_max_retries is None


def test_every_queue_has_a_doorbell() -> None:
    app = app_of(RABBITMQ)
    app.loader.import_default_modules()

    assert {doorbell_task(queue) for queue in Queue} <= set(app.tasks)
