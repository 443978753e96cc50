"""The platform's own processes as data: the one place that knows their command lines."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import HOST, PortReservations
from infra.local.process import ProcessSpec

GATEWAY_PORT = 8000
TOKENIZER_PORT = 8001
READY_PATH = "/readyz"
"""Where gateway and tokenizer answer 200 once they can serve."""
CELERY_APP = "services.worker.app"
QUIET_CELERY = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")
"""Doorbells need none of Celery's own chatter between workers."""
NO_ROOT_WARNING = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser"}
"""Celery warns of root in eight lines; its messages carry no code here, so that there is no danger in it."""
IMAGE_TOKENIZER_PLACES = ("movqgan", "movqgan_270M.ckpt", "movqgan/270M/movqgan_270M.ckpt")
"""Where a model folder keeps its image tokenizer, in the order they are tried."""
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104  (to recognise, not to bind)


@dataclass(frozen=True)
class Service:
    """One process of the platform."""

    spec: ProcessSpec
    ready_url: str | None = None
    """Answers 200 when it can serve; None for a worker, which takes no requests."""
    registers: bool = False
    """Whether it can serve once it stands in the table of workers: its model is loaded then."""


def web_service(name: str, package: str, host: str, port: int, stop_seconds: float) -> Service:
    """A service with an address, which it takes from its environment as well."""
    spec = ProcessSpec(name, [sys.executable, "-m", package], stop_seconds=stop_seconds)
    return Service(spec, f"http://{host}:{port}{READY_PATH}")


def celery_worker(
    name: str, queues: str, concurrency: int, stop_seconds: float, *, registers: bool = False
) -> Service:
    """A Celery worker with threads: CUDA does not survive a fork."""
    command = [
        *(sys.executable, "-m", "celery", "--quiet", "--app", CELERY_APP, "worker"),
        *("--pool", "threads", "--concurrency", str(concurrency)),
        *("--queues", queues, "--hostname", f"{name}@%h"),
        *QUIET_CELERY,
    ]
    return Service(
        ProcessSpec(name, command, NO_ROOT_WARNING, stop_seconds=stop_seconds), registers=registers
    )


@dataclass(frozen=True)
class Platform:
    """The processes in the order of their start, and what they must know of each other."""

    gateway_url: str
    environment: Mapping[str, str]
    services: tuple[Service, ...]


def define_platform(given: Mapping[str, str], ports: PortReservations) -> Platform:
    """Reserve ports, those that `given` (an environment) names or others, and describe every process.

    A tokenizer service of one's own (TOKENIZER_URL) is not started a second time. Raises ProcessError when a
    named port is taken.
    """
    gateway_host = reachable(given.get("GATEWAY_HOST", HOST))
    gateway_port = port_of("GATEWAY_PORT", GATEWAY_PORT, given, ports)
    gateway_url = f"http://{gateway_host}:{gateway_port}"
    environment = {
        "GATEWAY_PORT": str(gateway_port),
        "GATEWAY_PUBLIC_URL": given.get("GATEWAY_PUBLIC_URL") or gateway_url,
    }
    services: list[Service] = []
    if not given.get("TOKENIZER_URL"):
        host = reachable(given.get("TOKENIZER_HOST", HOST))
        port = port_of("TOKENIZER_PORT", TOKENIZER_PORT, given, ports)
        environment |= {"TOKENIZER_PORT": str(port), "TOKENIZER_URL": f"http://{host}:{port}"}
        environment |= tokenizer_model(given)
        services.append(web_service("tokenizer", "services.tokenizer", host, port, 5.0))
    services += [
        web_service("gateway", "services.api", gateway_host, gateway_port, 5.0),
        celery_worker("worker", "generate,edit,dense", 2, 20.0, registers=True),
        celery_worker("io-worker", "io", 4, 10.0),
    ]
    return Platform(gateway_url, environment, tuple(services))


def port_of(variable: str, usual: int, given: Mapping[str, str], ports: PortReservations) -> int:
    """The port that the environment names; otherwise the usual one, or any when that is taken."""
    named = given.get(variable)
    return ports.reserve_named(variable, int(named)) if named else ports.prefer(usual)


def reachable(host: str) -> str:
    """The address under which this machine reaches a server that listens on `host`."""
    return HOST if host in EVERYWHERE else host


def tokenizer_model(given: Mapping[str, str]) -> dict[str, str]:
    """TOKENIZER_MODEL inside WORKER_MODEL, as in published folders; nothing when either says otherwise."""
    if given.get("TOKENIZER_MODEL") or not given.get("WORKER_MODEL"):
        return {}
    places = [Path(given["WORKER_MODEL"]) / place for place in IMAGE_TOKENIZER_PLACES]
    return {"TOKENIZER_MODEL": str(next(filter(Path.exists, places), places[0]))}
