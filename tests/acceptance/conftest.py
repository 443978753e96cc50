"""One installation for all tests of this folder; all of its processes run at the start of each test."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.installation import migrate
from infra.local.stack import EmbeddedStack
from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import PlatformUnderTest
from tests.support.servers.span_collector import SpanCollector, collecting, traces_to


@pytest.fixture(scope="package")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpanCollector]:
    """Collects the spans of the installation."""
    with collecting(tmp_path_factory.mktemp("traces") / "spans.jsonl") as collector:
        yield collector


@pytest.fixture(scope="package")
def installation(spans: SpanCollector) -> Iterator[Installation]:
    """The services on servers with fsync, as in production."""
    folder = Path(tempfile.mkdtemp(prefix="luminary-acceptance-"))
    model = write_decoder(folder / "random")
    write_movqgan(model / "movqgan")
    with EmbeddedStack(folder / "stack", environment={}) as stack:
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        installation = Installation(folder / "logs", model, stack, traces_to(spans))
        try:
            installation.start()
            yield installation
        finally:
            installation.stop()
    shutil.rmtree(folder)


@pytest.fixture
def platform(installation: Installation, request: pytest.FixtureRequest) -> Iterator[PlatformUnderTest]:
    """A new project for the test; after it, stopped processes are started again."""
    yield installation.world(request.node.name)
    installation.restore()
