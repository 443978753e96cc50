"""The platform's services with their command lines, ports and environment variables."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import HOST, PortReservations
from infra.local.process import ProcessSpec
from shared.model_folders import IMAGE_TOKENIZER_PLACES, image_tokenizer_of

GATEWAY_PORT = 8000
TOKENIZER_PORT = 8001
WORKER_PORT = 8002
IO_WORKER_PORT = 8003
"""Workers answer health checks and Prometheus there."""
READY_PATH, ALIVE_PATH = "/readyz", "/healthz"
"""Paths of gateway and tokenizer service: 200 when they are ready, and 200 while they run."""
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104  (to recognise, not to bind)


@dataclass(frozen=True)
class Service:
    """One process of the platform."""

    spec: ProcessSpec
    ready_url: str | None = None
    """URL that returns 200 when the service is ready; None for a service that is asked in another way."""
    registers: bool = False
    """Whether the service adds itself to the workers table when it is ready, with its model loaded."""


def web_service(name: str, package: str, host: str, port: int, stop_seconds: float) -> Service:
    """A service with an HTTP server; it reads host and port from its own environment variables."""
    spec = ProcessSpec(name, [sys.executable, "-m", package], stop_seconds=stop_seconds)
    return Service(spec, f"http://{host}:{port}{READY_PATH}")


def celery_worker(
    name: str,
    queues: str,
    concurrency: int,
    stop_seconds: float,
    *,
    health_port: int | None = None,
    registers: bool = False,
) -> Service:
    """A GPU worker or an io worker, as the queues say. health_port: where it answers, None for nowhere."""
    command = [
        *(sys.executable, "-m", "services.worker", "--name", name),
        *("--queues", queues, "--concurrency", str(concurrency)),
    ]
    environment = {} if health_port is None else {"WORKER_HEALTH_PORT": str(health_port)}
    ready_url = None if health_port is None or registers else f"http://{HOST}:{health_port}{READY_PATH}"
    return Service(ProcessSpec(name, command, environment, stop_seconds=stop_seconds), ready_url, registers)


@dataclass(frozen=True)
class Platform:
    """The services in the order of their start, and the environment variables with their addresses."""

    gateway_url: str
    environment: Mapping[str, str]
    services: tuple[Service, ...]


def define_platform(given: Mapping[str, str], ports: PortReservations) -> Platform:
    """Reserve the ports and define all services. Raises ProcessError when a port from `given` is in use.

    given: the environment. If it has TOKENIZER_URL, that tokenizer service is used and none is started.
    """
    gateway_host = reachable(given.get("GATEWAY_HOST", HOST))
    gateway_port = port_of("GATEWAY_PORT", GATEWAY_PORT, given, ports)
    gateway_url = f"http://{gateway_host}:{gateway_port}"
    environment = {
        "GATEWAY_PORT": str(gateway_port),
        "GATEWAY_PUBLIC_URL": given.get("GATEWAY_PUBLIC_URL") or gateway_url,
    }
    worker_port = port_of("WORKER_HEALTH_PORT", WORKER_PORT, given, ports)
    io_worker_port = ports.choose() if given.get("WORKER_HEALTH_PORT") else ports.prefer(IO_WORKER_PORT)
    services: list[Service] = []
    if not given.get("TOKENIZER_URL"):
        host = reachable(given.get("TOKENIZER_HOST", HOST))
        port = port_of("TOKENIZER_PORT", TOKENIZER_PORT, given, ports)
        environment |= {"TOKENIZER_PORT": str(port), "TOKENIZER_URL": f"http://{host}:{port}"}
        environment |= tokenizer_model(given)
        if not given.get("TOKENIZER_SECRET"):
            environment["TOKENIZER_SECRET"] = secrets.token_hex(16)
        services.append(web_service("tokenizer", "services.tokenizer", host, port, 5.0))
    services += [
        web_service("gateway", "services.api", gateway_host, gateway_port, 5.0),
        celery_worker("worker", "generate,edit,dense", 2, 20.0, health_port=worker_port, registers=True),
        celery_worker("io-worker", "io", 4, 10.0, health_port=io_worker_port),
    ]
    return Platform(gateway_url, environment, tuple(services))


def port_of(variable: str, usual: int, given: Mapping[str, str], ports: PortReservations) -> int:
    """Reserve the port that the environment sets; otherwise the default one, or any if that is in use."""
    named = given.get(variable)
    return ports.reserve_named(variable, int(named)) if named else ports.prefer(usual)


def reachable(host: str) -> str:
    """The host name by which this machine reaches a server that listens on `host`."""
    return HOST if host in EVERYWHERE else host


def tokenizer_model(given: Mapping[str, str]) -> dict[str, str]:
    """TOKENIZER_MODEL for the image tokenizer inside WORKER_MODEL; empty if the environment decides it.

    Published model folders contain their image tokenizer.
    """
    if given.get("TOKENIZER_MODEL") or not given.get("WORKER_MODEL"):
        return {}
    folder = Path(given["WORKER_MODEL"])
    return {"TOKENIZER_MODEL": str(image_tokenizer_of(folder) or folder / IMAGE_TOKENIZER_PLACES[0])}
