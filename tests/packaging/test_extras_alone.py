"""Every extra in an environment of its own: its code can be imported, and its service starts."""

import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local.ports import HOST, free_ports
from infra.local.process import ManagedProcess
from infra.local.services import ALIVE_PATH, READY_PATH, Service, celery_worker, web_service
from tests.support.environments import ROOT, MakeEnvironment, run
from tests.support.platforms.luminary_up import found, up
from tests.support.servers.processes import WORKER_READY, Member
from tests.support.servers.supervised import wait_for_line

IMPORT_ALL = """
import importlib, pkgutil, sys
for root in sys.argv[1:]:
    package = importlib.import_module(root)
    assert "site-packages" in package.__file__, package.__file__
    for module in pkgutil.walk_packages(package.__path__, f"{root}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
TINY = ROOT / "models" / "tiny"
ENVIRONMENT = {
    "DATABASE_URL": f"postgresql://luminary@{HOST}:1/luminary",
    "BROKER_URL": f"redis://{HOST}:1/0",
    "S3_BUCKET": "pictures",
    "S3_ENDPOINT_URL": f"http://{HOST}:1",
    "S3_ACCESS_KEY_ID": "id",
    "S3_SECRET_ACCESS_KEY": "secret",
    "WORKER_MODEL": str(TINY),
    "TOKENIZER_MODEL": str(TINY / "movqgan"),
}
"""Every service starts with it, and waits for servers that are away."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """`services.worker.app` reads the environment when it is imported."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.mark.parametrize(
    ("extra", "packages"),
    [
        ("", ["luminary.remote"]),
        ("api", ["services.api"]),
        ("worker", ["services.worker"]),
        ("tokenizer", ["services.tokenizer"]),
        ("backup", ["infra.backup"]),
        ("generate", ["luminary"]),
        ("mcp", ["luminary.remote"]),
        ("train", ["training"]),
        ("local", ["infra", "services", "luminary"]),
    ],
    ids=["none", "api", "worker", "tokenizer", "backup", "generate", "mcp", "train", "local"],
)
def test_an_extra_brings_all_that_its_code_imports(
    environment: MakeEnvironment, tmp_path: Path, extra: str, packages: list[str]
) -> None:
    """Found: services failed at an import in the environment of their extra. Right: nothing is missing."""
    run(environment(extra), "-c", IMPORT_ALL, *packages, folder=tmp_path)


def in_environment(service: Service, python: Path, folder: Path) -> Service:
    """The service, run by another Python, outside the sources."""
    command = [str(python) if part == sys.executable else part for part in service.spec.command]
    return replace(service, spec=replace(service.spec, command=command, folder=folder))


@pytest.mark.parametrize("extra", ["api", "tokenizer"])
def test_a_web_service_starts_from_its_own_extra(
    environment: MakeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("GATEWAY_PORT", str(port))
    monkeypatch.setenv("TOKENIZER_PORT", str(port))
    service = in_environment(
        web_service(extra, f"services.{extra}", HOST, port, 5.0), environment(extra), tmp_path
    )
    assert service.ready_url is not None
    alive = service.ready_url.removesuffix(READY_PATH) + ALIVE_PATH
    member = Member(ManagedProcess(service.spec, tmp_path / "log"), alive)
    try:
        member.start()
    finally:
        member.process.stop()


@pytest.mark.parametrize(
    ("extra", "queue", "words"),
    [("worker", "generate", WORKER_READY), ("io", "io", ("Cannot connect to redis",))],
)
def test_a_worker_starts_from_its_own_extra(
    environment: MakeEnvironment, tmp_path: Path, extra: str, queue: str, words: tuple[str, ...]
) -> None:
    service = in_environment(celery_worker("worker", queue, 1, 20.0), environment(extra), tmp_path)
    member = Member(ManagedProcess(service.spec, tmp_path / "log"), ready_words=words)
    try:
        member.start()
    finally:
        member.process.stop()


def test_migrations_run_from_the_gateways_extra(environment: MakeEnvironment, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"migrations: the database at DATABASE_URL does not answer"):
        run(environment("api"), "-m", "migrations", folder=tmp_path)


def test_luminary_up_draws_a_picture_from_an_installed_wheel(
    environment: MakeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: the wheel had no migrations, and `local` no services. Right: `luminary[local]` is enough."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    python, data = environment("local"), tmp_path / "data"
    with up(data, TINY, python=python, folder=tmp_path) as platform:
        found(r"is ready after \d+ s: (http://\S+)", platform)
        draw = ("draw", "a red star", "--data", data, "--size", "64x64", "--no-open")
        run(python.with_name("luminary"), *draw, folder=tmp_path)
        platform.send_signal(signal.SIGINT)
        wait_for_line(platform, "stopped")
        assert platform.wait() == 0
    assert len(list(tmp_path.glob("*.png"))) == 1


@pytest.mark.parametrize(("command", "extra"), [("up", "local"), ("generate", "generate")])
def test_a_command_without_its_packages_names_the_extra(
    environment: MakeEnvironment, tmp_path: Path, command: str, extra: str
) -> None:
    """Found: it named one missing package after the other. Right: it names the extra."""
    program = environment("").with_name("luminary")
    arguments = ["--model", TINY, "--prompt", "a star"] if command == "generate" else []
    with pytest.raises(AssertionError, match=rf"pip install 'luminary\[{extra}\]'"):
        run(program, command, *arguments, folder=tmp_path)
