"""An outage is logged with two lines, however many calls fail."""

import logging
import time
from threading import Thread

import pytest

from shared.outages import Outage


@pytest.fixture
def outage(caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.INFO)
    return Outage(logging.getLogger("test"), "the database")


def test_a_thousand_failed_tries_are_one_line_and_the_end_is_another(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    """Fixed bug: ten lines per second were logged during an outage of PostgreSQL."""

    def try_often() -> None:
        for _ in range(250):
            outage.failed("refused", time.monotonic())

    threads = [Thread(target=try_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outage.answered()
    outage.answered()
    assert [record.getMessage() for record in caplog.records] == [
        "the database does not answer; retrying until it does",
        "the database answers again",
    ]
    assert vars(caplog.records[1])["failed_tries"] == 1000


def test_a_try_that_began_before_the_servers_return_begins_no_new_outage(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    slow = time.monotonic()
    outage.failed("refused", time.monotonic())
    outage.answered()
    outage.failed("timed out", slow)
    assert len(caplog.records) == 2
    outage.failed("refused again", time.monotonic())
    assert len(caplog.records) == 3
