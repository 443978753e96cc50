"""The embedded stack: PostgreSQL, Valkey and S3 without a container, started together and stopped together.

Each of the three is left out when the environment names a server of one's own:
DATABASE_URL for PostgreSQL, BROKER_URL for Valkey, S3_ENDPOINT_URL for S3. Beside a broker that does not
speak the Redis protocol, Valkey runs for progress events unless REDIS_URL names another.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import postgres, seaweedfs, valkey
from infra.local.ports import PortReservations
from infra.local.postgres import PostgresServer
from infra.local.process import ManagedProcess, ProcessSpec
from infra.local.seaweedfs import SeaweedPorts, SeaweedServer
from infra.local.state import StackState, exclusive, load_state
from infra.local.valkey import ValkeyServer

BUCKET = "luminary"
REDIS_SCHEMES = ("redis://", "rediss://")


class EmbeddedStack:
    """Context manager: inside it the servers answer, and `environment` says where."""

    def __init__(
        self, folder: Path, *, environment: Mapping[str, str] | None = None, durable: bool = True
    ) -> None:
        """Keep all data, logs and passwords below `folder`; the same folder later finds them again.

        `environment` replaces os.environ when deciding what is external.
        """
        self._folder = folder.absolute()
        self._given = os.environ if environment is None else environment
        self._durable = durable
        self._exit = ExitStack()
        self.processes: list[ManagedProcess] = []
        self.environment: dict[str, str] = {}
        """The variables that shared.settings reads, for the servers of this stack."""

    @property
    def log_folder(self) -> Path:
        """Where each server writes `<name>.log`."""
        return self._folder / "logs"

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(exclusive(self._folder))
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
        """Without a broker of one's own, or with one that cannot carry progress events."""
        broker = self._given.get("BROKER_URL", "")
        return not broker or not (self._given.get("REDIS_URL") or broker.startswith(REDIS_SCHEMES))

    def _start_postgres(self, state: StackState, starting: ExitStack) -> None:
        server = PostgresServer(
            self._folder / "postgres",
            state.ports.postgres,
            state.secrets.postgres_password,
            durable=self._durable,
        )
        server.prepare()
        self._run(server.spec(), server.is_ready, postgres.READY_SECONDS, starting)
        server.create_database()
        self.environment["DATABASE_URL"] = server.url()

    def _start_valkey(self, state: StackState, starting: ExitStack) -> None:
        server = ValkeyServer(self._folder / "valkey", state.ports.valkey, state.secrets.valkey_password)
        server.prepare()
        self._run(server.spec(), server.is_ready, valkey.READY_SECONDS, starting)
        self.environment["BROKER_URL"] = self._given.get("BROKER_URL") or server.url(0)
        self.environment["REDIS_URL"] = self._given.get("REDIS_URL") or server.url(1)

    def _start_s3(self, state: StackState, starting: ExitStack) -> None:
        ports = state.ports
        server = SeaweedServer(
            self._folder / "s3",
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
            bucket=BUCKET,
        )
        server.prepare()
        starting.callback(server.remove_sockets)
        self._run(server.spec(), server.is_ready, seaweedfs.READY_SECONDS, starting)
        self.environment |= {
            "S3_ENDPOINT_URL": server.endpoint_url,
            "S3_ACCESS_KEY_ID": state.secrets.s3_access_key_id,
            "S3_SECRET_ACCESS_KEY": state.secrets.s3_secret_access_key,
            "S3_BUCKET": BUCKET,
        }

    def _run(
        self, spec: ProcessSpec, is_ready: Callable[[], bool], seconds: float, starting: ExitStack
    ) -> None:
        process = ManagedProcess(spec, self.log_folder / f"{spec.name}.log")
        starting.callback(process.stop)
        process.start()
        self.processes.append(process)
        process.wait_until(is_ready, seconds)
