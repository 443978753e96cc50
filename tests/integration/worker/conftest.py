"""Fixtures of the worker's tests: a model on disk, a tokenizer service, a platform for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import valkey
from celery import Celery

from infra.local.stack import EmbeddedStack
from services.tokenizer.app import create_app
from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.broker.celery_app import create_celery_app
from shared.database import Database
from shared.settings import DatabaseSettings, StorageSettings
from shared.storage import ObjectStorage
from tests.support.factories import make_project
from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.platform import PlatformUnderTest, make_settings, serve


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a decoder and its image tokenizer, as published models have it."""
    folder = write_decoder(tmp_path_factory.mktemp("models") / "random")
    write_movqgan(folder / "movqgan")
    return folder


@pytest.fixture(scope="session")
def worker_world(model_folder: Path) -> Iterator[tuple[Path, str]]:
    """The model's folder and the URL of a tokenizer service for it."""
    settings = TokenizerServiceSettings(model=str(model_folder / "movqgan"), device="cpu")
    with serve(create_app(settings)) as url:
        yield model_folder, url


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
    """The workers' Celery application."""
    with create_celery_app(platform.settings.broker) as app:
        yield app


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.long)])
def broker_url(request: pytest.FixtureRequest) -> str:
    """URL of a broker without messages: Redis protocol and RabbitMQ in turn."""
    if request.param == "rabbitmq":
        return request.getfixturevalue("rabbitmq").url
    stack: EmbeddedStack = request.getfixturevalue("stack")
    url = stack.environment["BROKER_URL"]
    with valkey.Valkey.from_url(url) as client:
        client.flushdb()
    return url
