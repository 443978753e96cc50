"""`luminary top`: what the operator sees, from samples of the gateway."""

import io

import click
import pytest
from rich.console import Console

from luminary.remote.platform import Platform
from luminary.remote.samples import Samples
from luminary.remote.top import view

READY = {"status": "degraded", "checks": {"postgres": "ok", "broker": "failing"}}
TEXT = r"""
# HELP luminary_queue_jobs Open jobs
# TYPE luminary_queue_jobs gauge
luminary_queue_jobs{model="any",queue="edit",state="waiting"} 7.0
luminary_queue_jobs{model="tiny",queue="edit",state="waiting"} 5.0
luminary_queue_jobs{model="any",queue="edit",state="running"} 2.0
luminary_queue_oldest_seconds{queue="edit"} 150.0
luminary_fleet_workers{queue="edit",state="live"} 1.0
luminary_fleet_workers{queue="edit",state="silent"} 1.0
luminary_fleet_slots{queue="edit"} 4.0
luminary_fleet_codes_per_second{queue="edit"} 321.5
luminary_gateway_request_seconds_count{method="GET",route="/v1/jobs/{job_id}",status="2xx"} 100.0
luminary_gateway_request_seconds_count{method="POST",route="/v1/jobs",status="5xx"} 20.0
luminary_gateway_problems_total{code="invalid_request"} 3.0
luminary_gateway_problems_total{code="not_found"} 0.0
luminary_webhooks_due 2.0
luminary_webhooks_oldest_seconds NaN
"""


def shown(now: Samples, before: Samples) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(view("http://x", READY, now, before))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_view_has_queues_workers_speed_and_what_fails() -> None:
    text = shown(Samples.parse(TEXT, 20.0), Samples.parse(TEXT.replace("} 100.0", "} 80.0"), 10.0))
    [edit] = [line.split() for line in text.splitlines() if "edit" in line]
    assert edit == ["edit", "12", "2", "2", "min", "1", "–", "1", "4", "321.5"]
    assert "broker: failing" in text
    assert "degraded" in text
    rows = {" ".join(line.split()[:-1]): line for line in text.splitlines() if line.strip()}
    assert "2.0" in rows["requests/s"]
    assert "0.0" in rows["answers with 5xx/s"]
    assert "3" in rows["problem invalid_request"]
    assert "problem not_found" not in rows
    assert "–" in rows["first webhook waits"]


def test_without_figures_it_says_that_the_database_does_not_answer() -> None:
    nothing = Samples.parse("", 1.0)
    assert "the database does not answer" in shown(nothing, nothing)


def test_a_rate_over_a_restart_is_unknown() -> None:
    before, after = Samples.parse("a_total 5.0", 1.0), Samples.parse("a_total 1.0", 2.0)
    assert after.per_second(before, "a_total") is None
    assert after.per_second(after, "a_total") is None


def test_labels_with_commas_braces_and_quotes_are_read() -> None:
    samples = Samples.parse(r'a{route="/x/{y},z",text="say \"}\""} 3', 0.0)
    assert samples.total("a", route="/x/{y},z") == 3.0


def test_a_gateway_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(click.ClickException, match="does not answer"):
        Platform("http://127.0.0.1:1", "").metrics()
