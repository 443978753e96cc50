"""Fixtures of the worker's tests: models on disk, a tokenizer service, settings of the test's own."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import valkey
from celery import Celery
from pydantic import SecretStr

from infra.local.stack import EmbeddedStack
from services.tokenizer.app import create_app
from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.celery_app import create_celery_app
from shared.database import Database
from shared.settings import DatabaseSettings, StorageSettings
from shared.storage import ObjectStorage
from tests.integration.factories import make_project
from tests.integration.random_models import write_decoder, write_movqgan
from tests.integration.worker.platform import PlatformUnderTest, make_settings, serve


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder with its image tokenizer inside, as the published folders have it."""
    folder = write_decoder(tmp_path_factory.mktemp("models") / "random")
    write_movqgan(folder / "movqgan")
    return folder


@pytest.fixture(scope="session")
def worker_world(model_folder: Path) -> Iterator[tuple[Path, str]]:
    """The model's folder, and the address of a tokenizer service for it."""
    settings = TokenizerServiceSettings(model=str(model_folder / "movqgan"), device="cpu")
    with serve(create_app(settings)) as url:
        yield model_folder, url


@pytest.fixture
def storage_settings(stack: EmbeddedStack) -> StorageSettings:
    """The bucket, below a prefix of the test's own."""
    environment = stack.environment
    return StorageSettings(
        bucket=environment["S3_BUCKET"],
        endpoint_url=environment["S3_ENDPOINT_URL"],
        access_key_id=SecretStr(environment["S3_ACCESS_KEY_ID"]),
        secret_access_key=SecretStr(environment["S3_SECRET_ACCESS_KEY"]),
        prefix=f"{uuid4().hex}/",
    )


@pytest.fixture
def platform(
    stack: EmbeddedStack,
    settings: DatabaseSettings,
    database: Database,
    storage_settings: StorageSettings,
    worker_world: tuple[Path, str],
) -> PlatformUnderTest:
    """A platform on an empty database."""
    model, tokenizer_url = worker_world
    return PlatformUnderTest(
        make_settings(stack, settings, storage_settings, tokenizer_url),
        model,
        database,
        ObjectStorage(storage_settings),
        make_project(database, "test"),
    )


@pytest.fixture
def celery_app(platform: PlatformUnderTest) -> Iterator[Celery]:
    """Celery as the workers set it up."""
    with create_celery_app(platform.settings.broker) as app:
        yield app


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """A broker of either kind without messages."""
    if request.param == "rabbitmq":
        return request.getfixturevalue("rabbitmq").url
    stack: EmbeddedStack = request.getfixturevalue("stack")
    url = stack.environment["BROKER_URL"]
    with valkey.Valkey.from_url(url) as client:
        client.flushdb()
    return url
