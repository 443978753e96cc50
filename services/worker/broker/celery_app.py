"""Configure Celery: messages may be lost, and dead connections are noticed."""

from typing import Any

from celery import Celery

from shared.settings import BrokerSettings

SOCKET_SECONDS = 5
HEALTH_CHECK_SECONDS = 5
AMQP_HEARTBEAT_SECONDS = 10
"""AMQP heartbeat interval: RabbitMQ and the worker notice within twice this time that the peer is gone."""


def create_celery_app(settings: BrokerSettings) -> Celery:
    """Create the Celery application of GPU workers and io workers."""
    url = settings.broker_url.get_secret_value()
    app = Celery("luminary", broker=url, include=["services.worker.broker.tasks"])
    app.conf.update(
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        # no limit: by default the worker ends after a hundred tries
        broker_connection_max_retries=None,
        broker_transport_options=transport_options(url),
        broker_connection_timeout=SOCKET_SECONDS,
        broker_heartbeat=AMQP_HEARTBEAT_SECONDS,
        task_ignore_result=True,
        task_publish_retry=False,
        # acknowledge doorbells on arrival: a lost one costs a second, a duplicate costs nothing
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # threads cannot be cancelled, and a doorbell ends before that anyway
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        # workers are not controlled through the broker, and RabbitMQ 4.3 refuses the queues that this needs
        worker_enable_remote_control=False,
    )
    return app


def transport_options(url: str) -> dict[str, Any]:
    """Timeouts and checks of kombu's transport for this URL.

    RabbitMQ: writes and replies have timeouts, so that they cannot block for ever; heartbeats guard the wait
    for messages. A message counts as sent when RabbitMQ confirms it: otherwise a frozen broker, or one with a
    full disk, would seem to accept it.
    Redis: both the timeout and the health check are needed to notice a half-open connection
    (kombu/transport/redis.py, from kombu 5.7 on).
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
