"""One store of images for all tests here; everything is built once."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.support.containers.engine import Engine, store
from tests.support.containers.images import NAMES, Images


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Podman and buildah. Fails with the command that installs what is missing."""
    return Engine(store())


@pytest.fixture(scope="session")
def images(engine: Engine) -> Images:
    """The builder of the images."""
    return Images(engine)


@pytest.fixture(scope="session")
def built(images: Images) -> Callable[[str], str]:
    """Builds an image of this project, or finds the one that was built for an earlier test."""
    return cache(images.build)


@pytest.fixture(params=NAMES)
def image(request: pytest.FixtureRequest, built: Callable[[str], str]) -> str:
    """Each of the images."""
    return built(request.param)
