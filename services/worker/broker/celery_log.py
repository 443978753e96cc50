"""Reduce what Celery logs about a lost broker to one line at its loss and one at its return."""

import logging

LOGGERS = ("celery.worker.consumer.consumer", "celery.worker.consumer.connection", "celery.worker.request")
NOT_ACKNOWLEDGED = "Couldn't ack "
"""Not worth a line: the doorbell is delivered again, and the lost connection has its own line."""
LOST = ("consumer: Connection to broker lost", "consumer: Cannot connect to")
BACK = "Connected to "


class OncePerOutage(logging.Filter):
    """Passes the first line about a lost broker, without its traceback, and no more until it is back.

    Celery repeats the line before each try to connect, every few seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_lost = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is logged."""
        message = record.getMessage().lstrip()
        if message.startswith(BACK):
            self._is_lost = False
        if message.startswith(NOT_ACKNOWLEDGED):
            return False
        if not message.startswith(LOST):
            return True
        was_lost, self._is_lost = self._is_lost, True
        record.exc_info, record.exc_text = None, None
        record.msg, record.args = " ".join(message.split()), ()
        return not was_lost


def quieten_celery() -> None:
    """Add one filter to all Celery loggers that log about the connection."""
    once = OncePerOutage()
    for name in LOGGERS:
        logging.getLogger(name).addFilter(once)
