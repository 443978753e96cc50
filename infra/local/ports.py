"""Free TCP ports of this machine, and how several platforms share them without a race.

A server from a wheel cannot be given an open socket: between the choice of its port and its start, another
platform or an outgoing connection could take the port. So a port is reserved before it is used.
"""

import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.process import ProcessError

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


class PortReservations:
    """Context manager: ports that are one platform's until the block ends, also before it listens there."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def reserve(self, *ports: int) -> bool:
        """Reserve all of the ports, or none when another program has one of them or reserves it."""
        with ExitStack() as held:
            try:
                for port in ports:
                    reserve_port(port, held)
            except OSError:
                return False
            self._held.push(held.pop_all())
        return True

    def reserve_named(self, variable: str, port: int) -> int:
        """Reserve the port that a variable of the environment names. Raises ProcessError."""
        if not self.reserve(port):
            raise port_is_taken(variable, port)
        return port

    def choose(self) -> int:
        """Reserve any port that is free."""
        while not self.reserve(port := free_ports(1)[0]):
            pass
        return port

    def prefer(self, port: int) -> int:
        """Reserve the port if it is free, otherwise one that is."""
        return port if self.reserve(port) else self.choose()


def reserve_port(port: int, held: ExitStack) -> None:
    """Take the port for this process as long as `held` is open. Raises OSError when it is not free.

    Two sockets do it on Linux, and the kernel lets go of both when we die. An abstract Unix name is what
    platforms compete for; like a port, it belongs to the network namespace (unix(7)). A socket that is bound
    and does not listen keeps outgoing connections, and programs that ask for any port, away from the port,
    while a server that sets SO_REUSEADDR, as all of ours do, may still listen on it (socket(7)).
    Elsewhere the port is only looked at.
    """
    linux = sys.platform == "linux"
    if linux:
        held.enter_context(socket.socket(socket.AF_UNIX)).bind(f"\0luminary/port/{port}")
    with ExitStack() as looking:
        probe = (held if linux else looking).enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))


def port_is_taken(variable: str, port: int) -> ProcessError:
    """The refusal of a port that the environment names."""
    return ProcessError(
        f"{variable}={port} is taken by another program; choose another, or leave it out to get a free one."
    )
