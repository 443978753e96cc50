"""Run RabbitMQ for tests: one Erlang process and its port mapper, with all files in one folder.

The programs come from the distribution's package, but files of the machine's own installation are neither
read nor written. Both processes end with the block or with the test process.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import amqp

from infra.local.ports import HOST, PortReservations, is_listening
from infra.local.process import ManagedProcess, ProcessSpec
from tests.support.servers.processes import Member

SERVER_PLACES = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")
"""The server's own script. Scripts of packages on PATH would first change the account and the folder."""
EPMD = "epmd"
READY_SECONDS = 120.0
ANSWER_SECONDS = 5.0
STOP_SECONDS = 30.0


def server_script() -> Path | None:
    """Path of RabbitMQ's script; None if RabbitMQ or Erlang's port mapper is not installed."""
    found = next(filter(Path.is_file, map(Path, SERVER_PLACES)), None)
    return found if shutil.which(EPMD) else None


@dataclass(frozen=True)
class RabbitPorts:
    """Ports for clients, for other nodes (there are none), and for the port mapper."""

    amqp: int
    distribution: int
    epmd: int


class RabbitServer:
    """A broker that a test may stop, restart or freeze."""

    def __init__(self, folder: Path, script: Path, ports: RabbitPorts) -> None:
        folder.mkdir(parents=True)
        self.ports = ports
        self.epmd = ManagedProcess(
            ProcessSpec("epmd", [EPMD, "-port", str(ports.epmd), "-address", HOST]), folder / "epmd.log"
        )
        spec = ProcessSpec(
            "rabbitmq", [str(script)], environment_of(folder, ports), stop_seconds=STOP_SECONDS
        )
        self.process = Member(ManagedProcess(spec, folder / "rabbitmq.log"))

    @property
    def port(self) -> int:
        """Port for clients."""
        return self.ports.amqp

    @property
    def url(self) -> str:
        """Address in Celery's form."""
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        self.process.launch()
        self.process.process.wait_until(self.is_ready, READY_SECONDS)

    def stop(self) -> None:
        """Shut the broker down; durable queues are there when it starts again."""
        self.process.process.stop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stop the broker until the block ends."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def is_ready(self) -> bool:
        """Whether a client can log in."""
        try:
            with connect(self.port):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def consumers(self, queue: str) -> int:
        """Number of consumers of the queue, which must exist."""
        with connect(self.port) as connection:
            declared = connection.channel().queue_declare(queue, passive=True)
            assert declared is not None
            return declared.consumer_count

    def has_queue(self, queue: str) -> bool:
        """Whether the queue exists."""
        try:
            self.consumers(queue)
        except amqp.NotFound:
            return False
        return True


def connect(port: int) -> amqp.Connection:
    """Open a client connection, which is a context manager."""
    return amqp.Connection(f"{HOST}:{port}", connect_timeout=ANSWER_SECONDS, read_timeout=ANSWER_SECONDS)


def environment_of(folder: Path, ports: RabbitPorts) -> dict[str, str]:
    """Variables for all files and addresses that RabbitMQ would otherwise take from the machine."""
    plugins = folder / "enabled_plugins"
    plugins.write_text("[].\n")
    return {
        "HOME": str(folder),  # for the Erlang cookie
        "ERL_EPMD_PORT": str(ports.epmd),
        # the node must not start a port mapper itself, because that would outlive it
        "ERL_ZFLAGS": "-start_epmd false",
        "RABBITMQ_NODENAME": f"luminary-{ports.amqp}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(ports.amqp),
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        # the script executes the server instead of supervising it, so that signals reach the server
        "RUNNING_UNDER_SYSTEMD": "true",
    }


@contextmanager
def running_rabbitmq(folder: Path, script: Path) -> Iterator[RabbitServer]:
    """Run a broker on its own ports and wait until it is ready; all its processes end with the block."""
    with ExitStack() as running:
        ports = running.enter_context(PortReservations())
        server = RabbitServer(folder, script, RabbitPorts(ports.choose(), ports.choose(), ports.choose()))
        running.callback(server.epmd.stop)
        server.epmd.start()
        server.epmd.wait_until(lambda: is_listening(server.epmd.pid or 0, server.ports.epmd), READY_SECONDS)
        running.callback(server.stop)
        server.start()
        yield server
