"""The platform of `docker-compose.yml` under podman-compose, with stand-ins for the images of others."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from infra.local.ports import HOST, free_ports
from tests.support.containers.engine import Engine
from tests.support.containers.images import NAMES
from tests.support.platforms.platform import eventually
from tests.support.source_tree import ROOT

PROJECT = "luminary-test"
START_SECONDS = 180.0
STAND_INS = {"POSTGRES_IMAGE": "postgres", "VALKEY_IMAGE": "valkey", "SEAWEEDFS_IMAGE": "seaweedfs"}
SHORT_TIMES = {
    "JOB_LEASE_SECONDS": "6",
    "JOB_HEARTBEAT_SECONDS": "1",
    "JOB_POLL_SECONDS": "0.5",
    "JOB_CHECKPOINT_SECONDS": "0.25",
    "OMP_NUM_THREADS": "1",
}
"""Short leases, so that a lost worker is noticed soon; one thread for each of the workers."""


def without_order(document: dict[str, Any]) -> dict[str, Any]:
    """The compose file with short times and without `depends_on`, whose conditions podman 4 cannot keep."""
    for service in document["services"].values():
        service.pop("depends_on", None)
        if "DATABASE_URL_FILE" in service.get("environment", {}):
            service["environment"] |= SHORT_TIMES
    return document


@dataclass
class Composed:
    """A running platform."""

    engine: Engine
    file: Path
    environment: Mapping[str, str]
    url: str

    def compose(self, *arguments: str) -> str:
        """Run podman-compose and return its output."""
        program = (sys.executable, "-m", "podman_compose")
        command = (*program, f"--project-name={PROJECT}", f"--file={self.file}", *arguments)
        return self.engine.call(*command, more=self.environment).stdout

    def run(self, *arguments: str) -> str:
        """Run a new container of a service and return its output."""
        return self.compose("--profile=cli", "run", "--rm", "--no-deps", *arguments).strip()

    def containers(self, service: str) -> list[str]:
        """Ids of the running containers of a service."""
        labels = (f"--filter=label=com.docker.compose.project={PROJECT}",)
        labels += (f"--filter=label=com.docker.compose.service={service}",)
        return self.engine.podman("ps", "--quiet", *labels).split()

    def inside(self, container: str, *command: str) -> str:
        """Run a command in a running container and return its output."""
        return self.engine.podman("exec", container, *command)

    def is_healthy(self, container: str) -> bool:
        """Run the health check of a container's image, as an engine under systemd does by itself."""
        return self.engine.call("podman", "healthcheck", "run", container, check=False).returncode == 0

    def rows(self, statement: str) -> list[str]:
        """The lines of a query's result, as the database's superuser."""
        [postgres] = self.containers("postgres")
        password = self.inside(postgres, "cat", "/secrets/postgres/password")
        address = f"postgresql://luminary:{password}@127.0.0.1/luminary"
        return self.inside(
            postgres, "psql", "--no-align", "--tuples-only", f"--command={statement}", address
        ).split()

    def busy_worker(self) -> str:
        """Id of the container whose worker runs the only job, by its host name in the lease."""
        [owner] = self.rows("SELECT lease_owner FROM jobs WHERE state = 'running'")
        return owner.rpartition("-")[0].rpartition("-")[0]

    def start(self, services: Mapping[str, Any], workers: int) -> None:
        """Start the services of no profile in the order of their conditions, which are checked here."""
        needs = {
            name: each.get("depends_on", {}) for name, each in services.items() if "profiles" not in each
        }
        conditions = {name: how["condition"] for each in needs.values() for name, how in each.items()}
        for name in TopologicalSorter(needs).static_order():
            scale = ("--scale", f"worker={workers}") if name == "worker" else ()
            self.compose("up", "--detach", "--no-build", *scale, name)
            match conditions.get(name):
                case "service_completed_successfully":
                    status = self.engine.podman("wait", f"{PROJECT}_{name}_1")
                    assert status == "0", self.engine.call("podman", "logs", f"{PROJECT}_{name}_1").stderr
                case "service_healthy":
                    [container] = self.containers(name)
                    eventually(partial(self.is_healthy, container), f"the health of {name}", START_SECONDS)
                case _:
                    pass


@contextmanager
def composed(engine: Engine, folder: Path, stand_ins: Mapping[str, str], workers: int) -> Iterator[Composed]:
    """Start the platform with this number of workers; stop it and delete its volumes at the end."""
    [port] = free_ports(1)
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    file = folder / "compose.yml"
    file.write_text(yaml.safe_dump(without_order(yaml.safe_load(text))))
    images = {f"LUMINARY_{name.upper()}_IMAGE": f"localhost/luminary-{name}:test" for name in NAMES}
    address = f"{HOST}:{port}"
    environment = {
        **images,
        **stand_ins,
        "LUMINARY_ADDRESS": address,
        "GATEWAY_PUBLIC_URL": f"http://{address}",
    }
    platform = Composed(engine, file, environment, f"http://{address}")
    try:
        platform.start(yaml.safe_load(text)["services"], workers)
        yield platform
    finally:
        platform.compose("down", "--volumes")
