"""The embedded stack: PostgreSQL, Valkey and S3 without containers, started and stopped together.

An environment variable replaces each of the three by an external server:
DATABASE_URL for PostgreSQL, BROKER_URL for Valkey, S3_ENDPOINT_URL for S3. With a broker that does not use
the Redis protocol, Valkey still runs for progress events unless REDIS_URL is set.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import postgres, seaweedfs, valkey
from infra.local.ports import PortReservations
from infra.local.postgres import PostgresServer
from infra.local.process import ManagedProcess, ProcessSpec
from infra.local.run_file import kill_leftovers
from infra.local.seaweedfs import SeaweedPorts, SeaweedServer
from infra.local.state import StackState, exclusive, load_state
from infra.local.valkey import ValkeyServer
from infra.local.watched import FROZEN_SECONDS, Questions, WatchedProcess

BUCKET = "luminary"
REDIS_SCHEMES = ("redis://", "rediss://")


class EmbeddedStack:
    """Context manager that runs the servers; `environment` then has their addresses."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        durable: bool = True,
        frozen_seconds: float = FROZEN_SECONDS,
    ) -> None:
        """Keep all data, logs and passwords below `folder`; later starts on the same folder reuse them.

        environment: replaces os.environ in the choice between embedded and external servers.
        frozen_seconds: a server that does not answer for this long counts as frozen.
        """
        self._folder = folder.absolute()
        self._given = os.environ if environment is None else environment
        self._durable = durable
        self._frozen_seconds = frozen_seconds
        self._exit = ExitStack()
        self.postgres: PostgresServer | None = None
        """The embedded database; None when DATABASE_URL is set."""
        self.servers: list[WatchedProcess] = []
        self.environment: dict[str, str] = {}
        """The servers' addresses and passwords, in the variables that shared.settings reads."""

    @property
    def processes(self) -> list[ManagedProcess]:
        """The processes of the servers, in the order of their start."""
        return [server.process for server in self.servers]

    @property
    def log_folder(self) -> Path:
        """Folder of the logs; each server writes `<name>.log`."""
        return self._folder / "logs"

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(exclusive(self._folder))
            kill_leftovers(self._folder)
            state = load_state(self._folder, starting.enter_context(PortReservations()))
            if not self._given.get("DATABASE_URL"):
                self._start_postgres(state, starting)
            if self._needs_valkey():
                self._start_valkey(state, starting)
            if not self._given.get("S3_ENDPOINT_URL"):
                self._start_s3(state, starting)
            self._exit = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def _needs_valkey(self) -> bool:
        """True without an external broker, or with one that cannot carry progress events."""
        broker = self._given.get("BROKER_URL", "")
        return not broker or not (self._given.get("REDIS_URL") or broker.startswith(REDIS_SCHEMES))

    def _start_postgres(self, state: StackState, starting: ExitStack) -> None:
        server = embedded_postgres(self._folder, state, durable=self._durable)
        starting.callback(server.close)
        server.prepare()
        questions = Questions(
            server.is_ready, postgres.READY_SECONDS, server.is_ready, before_start=server.clear_away
        )
        self._run(server.spec(), questions, starting)
        server.set_up()
        self.postgres = server
        self.environment["DATABASE_URL"] = server.url()

    def _start_valkey(self, state: StackState, starting: ExitStack) -> None:
        server = ValkeyServer(self._folder / "valkey", state.ports.valkey, state.secrets.valkey_password)
        server.prepare()
        questions = Questions(server.is_ready, valkey.READY_SECONDS, server.is_ready)
        self._run(server.spec(), questions, starting)
        self.environment["BROKER_URL"] = self._given.get("BROKER_URL") or server.url(0)
        self.environment["REDIS_URL"] = self._given.get("REDIS_URL") or server.url(1)

    def _start_s3(self, state: StackState, starting: ExitStack) -> None:
        server = embedded_s3(self._folder, state)
        server.prepare()
        starting.callback(server.remove_sockets)
        questions = Questions(
            server.is_ready, seaweedfs.READY_SECONDS, server.answers, before_start=server.remove_sockets
        )
        self._run(server.spec(), questions, starting)
        self.environment |= s3_environment(self._folder, state)

    def _run(self, spec: ProcessSpec, questions: Questions, starting: ExitStack) -> None:
        process = ManagedProcess(spec, self.log_folder / f"{spec.name}.log")
        starting.callback(process.stop)
        server = WatchedProcess(process, questions, frozen_seconds=self._frozen_seconds)
        server.start()
        self.servers.append(server)
        server.wait_until_ready()


def embedded_postgres(folder: Path, state: StackState, *, durable: bool = True) -> PostgresServer:
    """The embedded database of a data folder; this does not start it."""
    return PostgresServer(
        folder / "postgres",
        state.ports.postgres,
        password=state.secrets.postgres_password,
        owner_password=state.secrets.postgres_owner_password,
        services_password=state.secrets.postgres_services_password,
        durable=durable,
    )


def embedded_s3(folder: Path, state: StackState) -> SeaweedServer:
    """The embedded S3 server of a data folder; this does not start it."""
    ports = state.ports
    return SeaweedServer(
        folder / "s3",
        SeaweedPorts(
            s3=ports.s3,
            s3_grpc=ports.s3_grpc,
            master=ports.master,
            master_grpc=ports.master_grpc,
            volume=ports.volume,
            volume_grpc=ports.volume_grpc,
            filer=ports.filer,
            filer_grpc=ports.filer_grpc,
        ),
        access_key_id=state.secrets.s3_access_key_id,
        secret_access_key=state.secrets.s3_secret_access_key,
        token_key=state.secrets.s3_token_key,
        bucket=BUCKET,
    )


def s3_environment(folder: Path, state: StackState) -> dict[str, str]:
    """The address, keys and bucket of the embedded S3 server, in the variables that shared.settings reads."""
    return {
        "S3_ENDPOINT_URL": embedded_s3(folder, state).endpoint_url,
        "S3_ACCESS_KEY_ID": state.secrets.s3_access_key_id,
        "S3_SECRET_ACCESS_KEY": state.secrets.s3_secret_access_key,
        "S3_BUCKET": BUCKET,
    }
