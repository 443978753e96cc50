"""How Celery is set up: messages that nobody misses, connections that notice their death."""

from typing import Any

from celery import Celery

from shared.settings import BrokerSettings

SOCKET_SECONDS = 5
HEALTH_CHECK_SECONDS = 5
AMQP_HEARTBEAT_SECONDS = 10
"""The protocol's own heartbeat: RabbitMQ or the worker notices within twice that a peer is gone."""


def create_celery_app(settings: BrokerSettings) -> Celery:
    """The application that GPU workers and io workers run."""
    url = settings.broker_url.get_secret_value()
    app = Celery("luminary", broker=url, include=["services.worker.tasks"])
    app.conf.update(
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        # without a limit: the default gives the worker up after a hundred tries
        broker_connection_max_retries=None,
        broker_transport_options=transport_options(url),
        broker_connection_timeout=SOCKET_SECONDS,
        broker_heartbeat=AMQP_HEARTBEAT_SECONDS,
        task_ignore_result=True,
        task_publish_retry=False,
        # doorbells are acknowledged when they arrive: a lost one costs a second, a doubled one nothing
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # of no use to a thread, and a doorbell is over before it could be cancelled
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        # nobody commands workers through the broker, and RabbitMQ 4.3 refuses the queues that this would take
        worker_enable_remote_control=False,
    )
    return app


def transport_options(url: str) -> dict[str, Any]:
    """Options of the transport.

    With RabbitMQ a write that is not taken, or an answer that does not come, must not block for ever; waiting
    for messages is guarded by heartbeats. A message counts as sent when RabbitMQ says that it has it:
    one that is frozen, or takes none because a disk is full, would otherwise seem to have it.
    With Redis both the timeout and the health check are needed to notice a connection whose other end is gone
    without a word (kombu/transport/redis.py); kombu 5.7 is the first that does.
    """
    if not url.startswith(("redis://", "rediss://")):
        return {
            "read_timeout": SOCKET_SECONDS,
            "write_timeout": SOCKET_SECONDS,
            "confirm_publish": True,
        }
    return {
        "socket_timeout": SOCKET_SECONDS,
        "socket_connect_timeout": SOCKET_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_SECONDS,
    }
