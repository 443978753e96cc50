"""`luminary top`: watch the queues and workers of a platform, by its own metrics."""

import time
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from infra.local.options import found_folder, running
from luminary.remote.platform import Platform
from luminary.remote.samples import Samples
from luminary.remote.top import view


@click.command("top")
@found_folder
@click.option("--url", help="Address of the gateway. [default: the platform on this machine]")
@click.option(
    "--every",
    type=click.FloatRange(min=0.5),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks.",
)
@click.option("--once", is_flag=True, help="Print one view and end; rates are those of one interval.")
def command(folder: Path, *, url: str | None, every: float, once: bool) -> None:
    """Watch the running platform: queues, workers, speed, refusals, webhooks.

    Ctrl-C ends it. The figures are those of `GET /metrics` of the gateway, without a key.
    """
    address = (url or running(folder).url).rstrip("/")
    platform = Platform(address, "")
    console = Console()
    before = look(platform)
    if once:
        time.sleep(every)
        console.print(view(address, platform.readiness(), look(platform), before))
        return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            now = look(platform)
            live.update(view(address, platform.readiness(), now, before), refresh=True)
            before = now
            time.sleep(every)


def look(platform: Platform) -> Samples:
    """The metrics as they are now."""
    return Samples.parse(platform.metrics(), time.monotonic())
