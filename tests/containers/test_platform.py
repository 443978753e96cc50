"""The whole compose file: the first picture, a lost worker, and how the containers run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chaos.client import Client
from tests.support.containers.composed import STAND_INS, Composed, composed
from tests.support.containers.engine import Engine
from tests.support.containers.images import NAMES, Images
from tests.support.platforms.platform import eventually

LONG_JOB: dict[str, Any] = {
    "prompt": "two red balls and a blue star",
    "n": 8,
    "seed": 7,
    "size": "256x256",
    "allow_untrained_size": True,
}
"""It is drawn for long enough that its worker can be found and killed meanwhile."""
START_SECONDS = 180.0
WORKERS = 2
RUNNING = ("gateway", "io-worker", "tokenizer", "worker")
FACTS = "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.EffectiveCaps}}"
WRITE = "import pathlib; pathlib.Path('/opt/app/written').touch()"

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def platform(
    engine: Engine,
    images: Images,
    built: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Composed]:
    """The platform, ready, with two workers."""
    for name in NAMES:
        built(name)
    stand_ins = {variable: images.build_stand_in(name) for variable, name in STAND_INS.items()}
    with composed(engine, tmp_path_factory.mktemp("compose"), stand_ins, WORKERS) as platform:
        yield platform


@pytest.fixture(scope="module")
def client(platform: Composed) -> Iterator[Client]:
    """A client with the first key, once every container is healthy."""
    for service in RUNNING:
        found = platform.containers(service)
        assert len(found) == (WORKERS if service == "worker" else 1)
        for container in found:
            eventually(lambda container=container: platform.is_healthy(container), service, START_SECONDS)
    key = platform.run("--entrypoint=cat", "cli", "/secrets/key/api_key")
    client = Client(platform.url, key.splitlines()[-1])
    yield client
    client.close()


def hashes(job: dict[str, Any]) -> list[str]:
    """Hashes of the codes of a job's pictures."""
    assert job["status"] == "succeeded", job
    return [output["tokens_sha256"] for output in job["outputs"]]


def test_a_killed_worker_changes_no_code_of_a_picture(platform: Composed, client: Client) -> None:
    first = hashes(client.ended(client.submit(LONG_JOB)))
    assert len(first) == 8
    job = client.submit(LONG_JOB)
    eventually(lambda: client.job(job)["progress"]["tokens_done"] > 0, "the first codes")
    lost = platform.busy_worker()
    platform.engine.podman("kill", "--signal=KILL", lost)
    assert client.job(job)["status"] == "running"
    ended = client.ended(job)
    assert ended["attempt"] == 2
    assert hashes(ended) == first


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("service", RUNNING)
def test_services_run_as_their_user_on_a_read_only_file_system(platform: Composed, service: str) -> None:
    for container in platform.containers(service):
        said = platform.engine.podman("inspect", "--type=container", f"--format={FACTS}", container)
        assert said == "true 10001:10001 []"
        assert platform.inside(container, "python", "-c", "import os; print(os.getuid())") == "10001"
        wrote = platform.engine.call("podman", "exec", container, "python", "-c", WRITE, check=False)
        assert "Read-only file system" in wrote.stderr


@pytest.mark.usefixtures("client")
def test_the_command_line_draws_from_a_container(platform: Composed) -> None:
    said = platform.run("cli", "draw", "a red star", "--seed", "7", "--no-open")
    assert "a-red-star-7-0.png" in said
    assert "default" in platform.run("cli", "keys", "list")


@pytest.mark.usefixtures("client")
def test_a_second_start_changes_no_secret(platform: Composed) -> None:
    assert "new passwords: none" in platform.run("secrets")
