"""What `luminary up` refuses before it starts anything, and how it says so."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.local.preflight import check_environment
from infra.local.process import ProcessError


@pytest.fixture
def model(tmp_path: Path) -> dict[str, str]:
    """The environment of a model folder that looks whole."""
    (tmp_path / "movqgan").mkdir()
    for name in ("config.json", "model.safetensors", "movqgan/model.safetensors"):
        (tmp_path / name).touch()
    return {"WORKER_MODEL": str(tmp_path)}


def refusal(given: Mapping[str, str]) -> str:
    with pytest.raises(ProcessError) as refused:
        check_environment(given)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_model_folder_with_its_image_tokenizer_is_enough(model: dict[str, str]) -> None:
    check_environment(model)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    assert refusal({"WORKER_MODEL": str(tmp_path)}).startswith(f"There is no model in {tmp_path}")


def test_an_image_tokenizer_that_is_missing_is_named(model: dict[str, str]) -> None:
    message = refusal({**model, "TOKENIZER_MODEL": "/nowhere/movqgan"})
    assert message.startswith("There is no image tokenizer in /nowhere/movqgan")


@pytest.mark.parametrize("name", ["model.safetensors", "movqgan/model.safetensors"])
def test_weights_that_are_missing_are_named(model: dict[str, str], name: str) -> None:
    (Path(model["WORKER_MODEL"]) / name).unlink()
    assert "has no weights: there is n" in refusal(model)


def test_a_published_image_tokenizer_may_be_one_file(model: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "movqgan.ckpt").touch()
    check_environment({**model, "TOKENIZER_MODEL": str(tmp_path / "movqgan.ckpt")})


def test_a_tokenizer_service_of_ones_own_needs_no_image_tokenizer_here(model: dict[str, str]) -> None:
    check_environment({**model, "TOKENIZER_MODEL": "/nowhere", "TOKENIZER_URL": "http://tokenizer"})


@pytest.mark.parametrize("name", ["GATEWAY_PORT", "TOKENIZER_PORT"])
def test_a_port_that_is_taken_is_named(model: dict[str, str], name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert refusal({**model, name: port}).startswith(f"{name}={port} is taken")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "８０００x"])
def test_what_is_no_port_is_refused(model: dict[str, str], port: str) -> None:
    assert refusal({**model, "GATEWAY_PORT": port}).startswith(f"GATEWAY_PORT={port} is no port")


def test_a_storage_of_ones_own_needs_a_bucket(model: dict[str, str]) -> None:
    own = {**model, "S3_ENDPOINT_URL": "https://s3"}
    assert "S3_BUCKET" in refusal(own)
    check_environment({**own, "S3_BUCKET": "pictures"})
