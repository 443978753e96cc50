"""Run a streaming replica of a test's PostgreSQL."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from infra.local.account import server_account
from infra.local.ports import HOST, free_ports
from infra.local.postgres import PostgresServer
from infra.local.postgres_programs import PostgresPrograms
from infra.local.process import ManagedProcess
from tests.support.platforms.platform import eventually
from tests.support.servers.addresses import at_place


class Replica:
    """A running replica."""

    def __init__(self, port: int, superuser_url: str, process: ManagedProcess) -> None:
        self._port = port
        self._superuser_url = superuser_url
        self.process = process

    def address(self, url: str) -> str:
        """The replica's address of a database, from the primary's address."""
        return at_place(url, HOST, self._port)

    def answers(self) -> bool:
        """Return true when the replica answers and follows the primary."""
        try:
            with psycopg.connect(self.address(self._superuser_url), connect_timeout=2) as connection:
                row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        except psycopg.OperationalError:
            return False
        return row == (True,)

    @contextmanager
    def behind(self) -> Iterator[None]:
        """Let the replica replay nothing until the block ends."""
        with psycopg.connect(self.address(self._superuser_url), autocommit=True) as connection:
            connection.execute("SELECT pg_wal_replay_pause()")
            eventually(lambda: self._state(connection) == "paused", "the pause of the replica")
            try:
                yield
            finally:
                connection.execute("SELECT pg_wal_replay_resume()")

    @staticmethod
    def _state(connection: psycopg.Connection) -> str:
        row = connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone()
        return "" if row is None else row[0]


@contextmanager
def replica_of(primary: PostgresServer, folder: Path) -> Iterator[Replica]:
    """Copy the primary into the folder, and run the copy as its replica until the block ends."""
    account, (port,) = server_account(), free_ports(1)
    programs = PostgresPrograms(account)
    url = primary.superuser_url()
    command = [str(programs.folder() / "pg_basebackup"), f"--dbname={url}", f"--pgdata={folder}"]
    command += ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True)
    for place in (folder, *folder.rglob("*")):
        if account:
            os.chown(place, account.user, account.group)
    server = PostgresServer(folder, port, password="", owner_password="", services_password="", durable=False)
    process = ManagedProcess(server.spec(), folder.with_suffix(".log"))
    replica = Replica(port, url, process)
    process.start()
    try:
        eventually(replica.answers, "the start of the replica")
        yield replica
    finally:
        process.stop()
        server.close()
        programs.close()
