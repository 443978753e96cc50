"""The operator's view: samples of the gateway become tables. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from luminary.remote.samples import Samples

DASH = "–"
CLOSE = (0, 2, 0, 0)
"""Padding of cells with which all columns fit into 80 characters."""
LATE_SECONDS = 60.0
"""A queue whose first job has waited longer is marked."""


def number(value: float | None, digits: int = 0) -> str:
    """A number for people; a dash for none."""
    return DASH if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def seconds(value: float | None) -> str:
    """A time span for people."""
    if value is None or math.isnan(value):
        return DASH
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def view(url: str, ready: Mapping[str, Any], now: Samples, before: Samples) -> RenderableType:
    """The whole screen. ready: the answer of `GET /ready`. before: an earlier answer, for rates."""
    return Group(heading(url, ready), queues(now), traffic(now, before))


def heading(url: str, ready: Mapping[str, Any]) -> Text:
    """Address and state of the servers behind the gateway."""
    status = str(ready.get("status", "unknown"))
    line = Text.assemble(("Luminary ", "bold"), url, "  ")
    line.append(status, "green" if status == "ready" else "bold red")
    for name, state in sorted(dict(ready.get("checks") or {}).items()):
        line.append(f"  {name}: {state}", "" if state == "ok" else "red")
    return line


def queues(now: Samples) -> RenderableType:
    """One row for each queue."""
    names = sorted(now.by("queue", "luminary_queue_jobs") or now.by("queue", "luminary_fleet_slots"))
    if not names:
        return Text("No figures of queues: the database does not answer.", "bold red")
    table = Table(title="Queues", title_justify="left", box=None, padding=CLOSE)
    for column in (
        "queue",
        "waiting",
        "running",
        "longest",
        "live",
        "draining",
        "silent",
        "slots",
        "codes/s",
    ):
        table.add_column(column, justify="left" if column == "queue" else "right", no_wrap=True)
    for name in names:
        wait = now.total("luminary_queue_oldest_seconds", queue=name)
        live = now.total("luminary_fleet_workers", queue=name, state="live")
        waiting = now.total("luminary_queue_jobs", queue=name, state="waiting")
        silent = now.total("luminary_fleet_workers", queue=name, state="silent")
        table.add_row(
            name,
            number(waiting),
            number(now.total("luminary_queue_jobs", queue=name, state="running")),
            Text(seconds(wait), "red" if (wait or 0) > LATE_SECONDS else ""),
            Text(number(live), "bold red" if waiting and not live else ""),
            number(now.total("luminary_fleet_workers", queue=name, state="draining")),
            Text(number(silent), "red" if silent else ""),
            number(now.total("luminary_fleet_slots", queue=name)),
            number(now.total("luminary_fleet_codes_per_second", queue=name), 1),
        )
    return table


def traffic(now: Samples, before: Samples) -> Table:
    """Requests, refusals, doorbells, streams and webhooks."""
    table = Table(title="Gateway", title_justify="left", show_header=False, box=None, padding=CLOSE)
    table.add_column()
    table.add_column(justify="right")
    requests = "luminary_gateway_request_seconds_count"
    failing = now.per_second(before, requests, status="5xx")
    table.add_row("requests/s", number(now.per_second(before, requests), 1))
    table.add_row("answers with 5xx/s", Text(number(failing, 1), "red" if failing else ""))
    table.add_row(
        "doorbells that failed", number(now.total("luminary_gateway_doorbells_total", outcome="failed"))
    )
    table.add_row("open event streams", number(now.total("luminary_gateway_event_streams")))
    table.add_row("webhooks due", number(now.total("luminary_webhooks_due")))
    table.add_row("first webhook waits", seconds(now.total("luminary_webhooks_oldest_seconds")))
    for code, count in most(now.by("code", "luminary_gateway_problems_total")):
        table.add_row(f"problem {code}", number(count))
    return table


def most(counts: Mapping[str, float], at_most: int = 5) -> list[tuple[str, float]]:
    """The largest counts, without zeros."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(name, count) for name, count in ordered if count][:at_most]
