"""Free TCP ports of this machine."""

import socket
import sys
from contextlib import ExitStack
from pathlib import Path

HOST = "127.0.0.1"
LISTEN = "0A"
"""TCP_LISTEN in /proc/net/tcp."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Distinct ports that were free a moment ago; all are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def is_listening(pid: int, port: int) -> bool:
    """Whether this very process listens on the port: another program may have taken it a moment before.

    Source: proc(5) and the kernel's proc_net_tcp.rst. On other systems than Linux nothing is known: True.
    """
    try:
        tables = [Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
        held = {opened_file(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return sys.platform != "linux"
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return any(
        row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port and f"socket:[{row[9]}]" in held
        for row in rows
    )


def opened_file(link: Path) -> str:
    """What a file descriptor leads to; empty when it was closed meanwhile."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def preferred_port(port: int) -> int:
    """The port if it is free, otherwise one that is."""
    return port if is_free(port) else free_ports(1)[0]
