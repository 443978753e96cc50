"""Find and reserve free TCP ports, without races between several platforms on one machine.

The embedded servers cannot inherit an open socket: between the choice of a port and the start of its server,
another platform or an outgoing connection could take the port. So each port is reserved before it is used.
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
"""The state TCP_LISTEN in /proc/net/tcp."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Distinct ports that were free a moment ago."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def is_listening(pid: int, port: int) -> bool:
    """Whether this process itself listens on the port, and not another program that took it first.

    Source: proc(5) and the kernel's proc_net_tcp.rst. Always True on systems other than Linux.
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
    """The target of a link in /proc/PID/fd; empty when the file was closed in the meantime."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


class PortReservations:
    """Context manager that holds the reserved ports of one platform until the block ends."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def reserve(self, *ports: int) -> bool:
        """Reserve all ports and return True; reserve none and return False when one of them is not free."""
        with ExitStack() as held:
            try:
                for port in ports:
                    reserve_port(port, held)
            except OSError:
                return False
            self._held.push(held.pop_all())
        return True

    def reserve_named(self, variable: str, port: int) -> int:
        """Reserve the port given by an environment variable. Raises ProcessError when it is not free."""
        if not self.reserve(port):
            raise port_is_taken(variable, port)
        return port

    def choose(self) -> int:
        """Reserve and return any free port."""
        while not self.reserve(port := free_ports(1)[0]):
            pass
        return port

    def prefer(self, port: int) -> int:
        """Reserve this port if it is free, otherwise another one; return the reserved port."""
        return port if self.reserve(port) else self.choose()


def reserve_port(port: int, held: ExitStack) -> None:
    """Reserve the port for this process as long as `held` is open. Raises OSError when it is not free.

    On Linux two sockets reserve it, and the kernel closes both when this process ends. The first is an
    abstract Unix socket that only one platform can bind; like a port, its name belongs to the network
    namespace (unix(7)). The second is a TCP socket that is bound but does not listen: the kernel then gives
    the port neither to outgoing connections nor to programs that ask for any port, while a server that sets
    SO_REUSEADDR, as all embedded ones do, can still listen on it (socket(7)).
    On other systems the port is checked but not reserved.
    """
    linux = sys.platform == "linux"
    if linux:
        held.enter_context(socket.socket(socket.AF_UNIX)).bind(f"\0luminary/port/{port}")
    with ExitStack() as looking:
        probe = (held if linux else looking).enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))


def port_is_taken(variable: str, port: int) -> ProcessError:
    """The error for a port from the environment that is not free."""
    return ProcessError(
        f"{variable}={port} is in use by another program; set another port, or unset {variable} to get a "
        "free one."
    )
