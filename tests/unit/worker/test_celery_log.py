"""Only the first of Celery's lines about a lost broker is logged in each outage."""

import logging

from services.worker.broker.celery_log import OncePerOutage


def line(text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("celery", logging.WARNING, "consumer.py", 1, text, values, None)


def test_only_the_first_line_of_each_outage_passes() -> None:
    once = OncePerOutage()
    lost = "consumer: Cannot connect to %s: %s.\n%s\n"
    passed = [
        once.filter(record)
        for record in (
            line("consumer: Connection to broker lost. Trying to re-establish the connection..."),
            line(lost, "redis://", "refused", "Trying again in 2.00 seconds..."),
            line(lost, "redis://", "refused", "Trying again in 4.00 seconds..."),
            line("another thing"),
            line("Connected to %s", "redis://"),
            line(lost, "redis://", "refused", "Trying again in 2.00 seconds..."),
        )
    ]
    assert passed == [True, False, False, True, True, True]


def test_the_text_of_a_lost_connection_becomes_one_line() -> None:
    record = line("consumer: Cannot connect to %s: %s.\n%s\n", "redis://", "refused", "Trying again")
    assert OncePerOutage().filter(record)
    assert record.getMessage() == "consumer: Cannot connect to redis://: refused. Trying again"


def test_an_unacknowledged_doorbell_is_not_logged() -> None:
    """It is delivered again, and the lost connection has its own line; this line had a traceback."""
    assert not OncePerOutage().filter(line("Couldn't ack %r, reason:%r", "tag", "ConnectionError"))
