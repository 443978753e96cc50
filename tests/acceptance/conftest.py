"""One installation for the test session; every test finds all of its processes running."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.stack import EmbeddedStack
from infra.local.supervisor import migrate
from tests.acceptance.installation import Installation
from tests.integration.random_models import write_decoder, write_movqgan
from tests.integration.worker.platform import PlatformUnderTest


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """Servers with fsync, as in production, and the services on them."""
    folder = Path(tempfile.mkdtemp(prefix="luminary-acceptance-"))
    model = write_decoder(folder / "random")
    write_movqgan(model / "movqgan")
    with EmbeddedStack(folder / "stack", environment={}) as stack:
        migrate(stack.environment["DATABASE_URL"])
        installation = Installation(folder / "logs", model, stack)
        try:
            installation.start()
            yield installation
        finally:
            installation.stop()
    shutil.rmtree(folder)


@pytest.fixture
def platform(installation: Installation, request: pytest.FixtureRequest) -> Iterator[PlatformUnderTest]:
    """A project of the test's own."""
    yield installation.world(request.node.name)
    installation.restore()
