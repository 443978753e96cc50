"""HTTP rules that need no server: waiting, entity tags, fingerprints, request ids, readiness."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from services.api.http.etags import entity_tag, matches
from services.api.http.prefer_wait import preferred_wait, wait_until
from services.api.jobs.idempotency import request_fingerprint
from services.api.process.readiness import judge
from shared.request_ids import choose_request_id


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("", None),
        ("respond-async", None),
        ("wait=5", 5.0),
        ("respond-async, wait=10", 10.0),
        ('WAIT = "7"; foo=bar', 7.0),
        ("wait=0", 0.0),
        ("wait=3600", 60.0),
        ("wait=soon", None),
        ("wait=-1", None),
    ],
)
def test_only_a_wait_in_whole_seconds_is_heeded(prefer: str | None, seconds: float | None) -> None:
    assert preferred_wait(prefer) == seconds


@pytest.mark.parametrize(
    ("if_none_match", "same"),
    [
        (None, False),
        ("*", True),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"xyz", "abc"', True),
        ('"ab"', False),
        ("abc", False),
    ],
)
def test_entity_tags_compare_as_in_rfc_9110(if_none_match: str | None, same: bool) -> None:
    assert matches(if_none_match, '"abc"') is same


def test_an_entity_tag_follows_the_bytes() -> None:
    assert entity_tag(b"a") == entity_tag(b"a") != entity_tag(b"b")


def test_a_fingerprint_forgets_the_order_of_keys_and_nothing_else() -> None:
    first = request_fingerprint("POST", "/v1/jobs", {"a": 1, "b": [1, 2]})
    assert first == request_fingerprint("POST", "/v1/jobs", {"b": [1, 2], "a": 1})
    assert first != request_fingerprint("POST", "/v1/jobs", {"a": 1, "b": [2, 1]})
    assert first != request_fingerprint("POST", "/v1/other", {"a": 1, "b": [1, 2]})


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "ü", "x" * 65])
def test_a_request_id_that_could_forge_log_lines_is_replaced(given: str) -> None:
    assert choose_request_id(given) not in {given, choose_request_id(given)}


def test_a_proper_request_id_is_kept() -> None:
    assert choose_request_id("trace-1.2_3") == "trace-1.2_3"


@pytest.mark.parametrize(
    ("postgres", "broker", "storage", "status"),
    [
        (True, True, True, "ready"),
        (True, False, True, "degraded"),
        (True, True, False, "degraded"),
        (False, True, True, "unavailable"),
        (False, False, False, "unavailable"),
    ],
)
def test_only_the_database_decides_whether_the_gateway_can_serve(
    postgres: bool, broker: bool, storage: bool, status: str
) -> None:
    readiness = judge({"postgres": postgres, "broker": broker, "storage": storage})
    assert readiness.status == status
    assert readiness.checks["broker"] == ("ok" if broker else "failing")


def test_waiting_ends_with_the_hint_after_which_the_job_has_ended() -> None:
    looks: list[bool] = [False, False, True]
    hinted = 0

    async def hints() -> AsyncGenerator[None]:
        nonlocal hinted
        while True:
            hinted += 1
            yield

    async def is_done() -> bool:
        return looks.pop(0)

    asyncio.run(wait_until(is_done, hints(), 60.0))
    assert (looks, hinted) == ([], 3)


def test_waiting_ends_when_the_time_is_over_though_no_hint_comes() -> None:
    async def hints() -> AsyncGenerator[None]:
        await asyncio.Event().wait()
        yield

    async def is_done() -> bool:
        raise AssertionError("nobody hinted")

    asyncio.run(wait_until(is_done, hints(), 0.01))
