"""The platform's own processes as data: the one place that knows their command lines."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.ports import HOST, preferred_port
from infra.local.process import ProcessSpec

GATEWAY_PORT = 8000
TOKENIZER_PORT = 8001
READY_PATH = "/readyz"
"""Where gateway and tokenizer answer 200 once they can serve."""
CELERY_APP = "services.worker.app"
QUIET_CELERY = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")
"""Doorbells need none of Celery's own chatter between workers."""


@dataclass(frozen=True)
class Service:
    """One process of the platform."""

    spec: ProcessSpec
    ready_url: str | None = None
    """Answers 200 when it can serve; None for a worker, which takes no requests."""


def web_service(name: str, factory: str, port: int, stop_seconds: float) -> Service:
    """An ASGI application under uvicorn."""
    command = [sys.executable, "-m", "uvicorn", factory, "--factory", "--host", HOST, "--port", str(port)]
    spec = ProcessSpec(name, command, stop_seconds=stop_seconds)
    return Service(spec, f"http://{HOST}:{port}{READY_PATH}")


def celery_worker(name: str, queues: str, concurrency: int, stop_seconds: float) -> Service:
    """A Celery worker with threads: CUDA does not survive a fork."""
    command = [
        *(sys.executable, "-m", "celery", "--app", CELERY_APP, "worker"),
        *("--pool", "threads", "--concurrency", str(concurrency)),
        *("--queues", queues, "--hostname", f"{name}@%h"),
        *QUIET_CELERY,
    ]
    return Service(ProcessSpec(name, command, stop_seconds=stop_seconds))


@dataclass(frozen=True)
class Platform:
    """The four processes in the order of their start, and what they must know of each other."""

    gateway_url: str
    environment: Mapping[str, str]
    services: tuple[Service, ...]


def define_platform(given: Mapping[str, str]) -> Platform:
    """Choose ports, unless `given` (an environment) names them, and describe every process."""
    gateway_port = int(given.get("GATEWAY_PORT") or preferred_port(GATEWAY_PORT))
    tokenizer_port = int(given.get("TOKENIZER_PORT") or preferred_port(TOKENIZER_PORT))
    gateway_url = f"http://{HOST}:{gateway_port}"
    environment = {
        "GATEWAY_PORT": str(gateway_port),
        "GATEWAY_PUBLIC_URL": given.get("GATEWAY_PUBLIC_URL", gateway_url),
        "TOKENIZER_PORT": str(tokenizer_port),
        "TOKENIZER_URL": given.get("TOKENIZER_URL", f"http://{HOST}:{tokenizer_port}"),
    }
    return Platform(
        gateway_url,
        environment,
        (
            web_service("tokenizer", "services.tokenizer.app:create_app", tokenizer_port, 5.0),
            web_service("gateway", "services.api.app:create_app", gateway_port, 5.0),
            celery_worker("worker", "generate,edit,dense", 2, 20.0),
            celery_worker("io-worker", "io", 4, 10.0),
        ),
    )
