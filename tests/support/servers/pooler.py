"""Run PgBouncer in transaction mode in front of a test's PostgreSQL."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from infra.local.account import server_account
from infra.local.ports import HOST, PortReservations, is_listening
from infra.local.process import ManagedProcess, ProcessSpec
from tests.support.servers.addresses import at_place

PROGRAM = "pgbouncer"
PLACES = "/usr/sbin:/usr/local/sbin"
READY_SECONDS = 30.0
SETTINGS = """
[databases]
{database} = host={host} port={server_port} dbname={database}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = users.txt
admin_users = {user}
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
ignore_startup_parameters = options
"""


def program() -> str | None:
    """Path of PgBouncer; None if it is not installed."""
    return shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:{PLACES}")


class Pooler:
    """A running pooler. url: address of the database through it."""

    def __init__(self, url: str, console_url: str) -> None:
        self.url = url
        self._console_url = console_url

    def connections(self) -> tuple[int, int]:
        """Numbers of clients and of connections to the server."""
        with psycopg.connect(self._console_url, autocommit=True) as console:
            clients = console.cursor().execute("SHOW CLIENTS").fetchall()
            servers = console.cursor().execute("SHOW SERVERS").fetchall()
        return len(clients), len(servers)


@contextmanager
def pooled(folder: Path, path: str, url: str, connections: int) -> Iterator[Pooler]:
    """Run the program until the block ends. url: the server's address with the services' role."""
    parts = urlsplit(url)
    database = parts.path.strip("/")
    account = server_account()
    folder.mkdir(mode=0o700, parents=True)
    with PortReservations() as reservations:
        port = reservations.choose()
        settings = SETTINGS.format(
            host=HOST,
            database=database,
            server_port=parts.port,
            port=port,
            user=parts.username,
            connections=connections,
        )
        (folder / "pooler.ini").write_text(settings)
        (folder / "users.txt").write_text(f'"{parts.username}" "{parts.password}"\n')
        for place in (folder, *folder.iterdir()):
            if account:
                os.chown(place, account.user, account.group)
    spec = ProcessSpec(PROGRAM, [path, "pooler.ini"], account=account, folder=folder)
    process = ManagedProcess(spec, folder.with_suffix(".log"))
    process.start()
    try:
        process.wait_until(lambda: is_listening(process.pid or 0, port), READY_SECONDS)
        yield Pooler(
            at_place(url, HOST, port), at_place(urlunsplit(parts._replace(path="/pgbouncer")), HOST, port)
        )
    finally:
        process.stop()
