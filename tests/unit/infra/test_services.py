"""Which processes run, where they listen, and what they know of each other."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.local.ports import PortReservations
from infra.local.services import Platform, define_platform, tokenizer_model


def define(given: Mapping[str, str]) -> Platform:
    """The platform, whose ports are free again at once."""
    with PortReservations() as ports:
        return define_platform(given, ports)


def test_ports_that_the_environment_names_are_taken_over() -> None:
    platform = define({"GATEWAY_PORT": "18000", "TOKENIZER_PORT": "18001"})
    assert platform.gateway_url == "http://127.0.0.1:18000"
    assert platform.environment["TOKENIZER_URL"] == "http://127.0.0.1:18001"
    names = [service.spec.name for service in platform.services]
    assert names == ["tokenizer", "gateway", "worker", "io-worker"]


def test_each_worker_answers_on_a_port_of_its_own() -> None:
    platform = define({"WORKER_HEALTH_PORT": "18002"})
    worker, io_worker = (service.spec.environment["WORKER_HEALTH_PORT"] for service in platform.services[-2:])
    assert worker == "18002"
    assert io_worker not in {"18002", platform.environment["GATEWAY_PORT"]}
    assert platform.services[-1].ready_url == f"http://127.0.0.1:{io_worker}/readyz"


def test_a_usual_port_that_is_taken_is_replaced_by_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("infra.local.services.GATEWAY_PORT", port)
        platform = define({"TOKENIZER_PORT": "18001"})
    assert platform.environment["GATEWAY_PORT"] != str(port)
    assert platform.gateway_url.endswith(platform.environment["GATEWAY_PORT"])


def test_a_tokenizer_service_of_ones_own_is_not_started_again() -> None:
    platform = define({"GATEWAY_PORT": "18000", "TOKENIZER_URL": "http://tokenizer:8001"})
    assert "tokenizer" not in [service.spec.name for service in platform.services]
    assert "TOKENIZER_URL" not in platform.environment


def test_a_gateway_for_the_whole_network_is_reached_on_this_machine() -> None:
    given = {"GATEWAY_HOST": "0.0.0.0", "GATEWAY_PORT": "18000", "TOKENIZER_PORT": "18001"}  # noqa: S104
    assert define(given).gateway_url == "http://127.0.0.1:18000"


def test_a_public_address_of_the_gateway_is_kept() -> None:
    given = {"GATEWAY_PUBLIC_URL": "https://pictures.example", "GATEWAY_PORT": "18000"}
    assert define(given).environment["GATEWAY_PUBLIC_URL"] == "https://pictures.example"


@pytest.mark.parametrize("place", ["movqgan", "movqgan_270M.ckpt", "movqgan/270M/movqgan_270M.ckpt"])
def test_the_image_tokenizer_is_found_inside_the_model_folder(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    found = tokenizer_model({"WORKER_MODEL": str(tmp_path)})["TOKENIZER_MODEL"]
    assert Path(found).exists()
    assert str(tmp_path / place).startswith(found)


def test_a_named_image_tokenizer_is_kept(tmp_path: Path) -> None:
    assert tokenizer_model({"WORKER_MODEL": str(tmp_path), "TOKENIZER_MODEL": "mine"}) == {}
    assert tokenizer_model({}) == {}


def test_the_io_worker_starts_without_torch() -> None:
    variables = {"DATABASE_URL": "postgresql://db", "BROKER_URL": "redis://broker", "S3_BUCKET": "pictures"}
    code = "import sys, services.worker.app; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **variables}, check=True)


def test_the_tokenizer_service_and_its_workers_share_a_secret_of_each_start() -> None:
    first, second = (define({}).environment["TOKENIZER_SECRET"] for _ in range(2))
    assert len(first) >= 32
    assert first != second
    assert "TOKENIZER_SECRET" not in define({"TOKENIZER_SECRET": "an-operators-own-secret"}).environment
