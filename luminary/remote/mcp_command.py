"""`luminary mcp`: the platform's tools for desktop agents, over standard input and output."""

import asyncio
import os
from pathlib import Path

import click

from infra.local.options import found_folder, running
from luminary.remote.draw_command import key_of
from luminary.remote.platform import Platform


@click.command("mcp")
@found_folder
@click.option(
    "--url", help="Address of the gateway. [default: LUMINARY_URL, or the platform on this machine]"
)
def command(folder: Path, *, url: str | None) -> None:
    """Offer the platform's tools to a desktop agent, over standard input and output.

    \b
    {"mcpServers": {"luminary": {"command": "luminary", "args": ["mcp"],
        "env": {"LUMINARY_URL": "https://…", "LUMINARY_API_KEY": "lum_…"}}}}

    The agent may name pictures on this machine by their path.
    """
    from luminary.remote.mcp_bridge import serve

    address = (url or os.environ.get("LUMINARY_URL") or running(folder).url).rstrip("/")
    key = key_of(folder)
    Platform(address, key).models()  # a wrong address or key is reported here, in one line
    asyncio.run(serve(address, key))
