"""Find the ports and sockets that processes listen on. They are read from the kernel, so none is missed."""

import socket
import ssl
from pathlib import Path

LISTEN = "0A"
ACCEPTS = 0x10000
"""Flag __SO_ACCEPTCON in /proc/net/unix: the socket listens."""


def descendants(pid: int) -> list[int]:
    """The process and all processes that it has started, directly or indirectly."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def sockets_of(pid: int) -> set[str]:
    """Inodes of a process's sockets."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:[")}


def listening_ports(pid: int) -> set[int]:
    """TCP ports that the process or a descendant listens on. Fails if one is not on localhost."""
    held = set().union(*map(sockets_of, descendants(pid)))
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            row = line.split()
            if row[3] == LISTEN and row[9] in held:
                address, _, port = row[1].rpartition(":")
                assert address == "0100007F", f"port {int(port, 16)} is open to the network"
                ports.add(int(port, 16))
    return ports


def listening_sockets(pid: int) -> set[str]:
    """Paths of Unix sockets that the process or a descendant listens on, as it has bound them."""
    held = set().union(*map(sockets_of, descendants(pid)))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]]
    return {row[7] for row in rows if len(row) > 7 and row[6] in held and int(row[3], 16) & ACCEPTS}


def status_of(port: int, method: str, path: str, *, encrypted: bool, body: bytes = b"") -> int | None:
    """HTTP status of a request without credentials; None if there is no HTTP answer."""
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = exchange(port, head.encode() + body, encrypted=encrypted)
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.") else None


def exchange(port: int, request: bytes, *, encrypted: bool = False) -> bytes:
    """Send bytes without a client certificate and return the answer; b"" if the connection is closed."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            connection = plain
            if encrypted:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.set_alpn_protocols(["h2", "http/1.1"])
                connection = context.wrap_socket(plain)
            with connection:
                connection.sendall(request)
                return connection.recv(4096)
    except OSError:
        return b""
