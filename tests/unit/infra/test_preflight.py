"""What `luminary up` refuses before it starts anything, and how it says so."""

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.local.preflight import check_environment, check_models
from infra.local.process import ProcessError
from tests.support.models.model_folder import write_image_tokenizer

TINY = Path(__file__).parents[3] / "models/tiny"


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
        assert refusal({**model, name: port}).startswith(f"{name}={port} is in use")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "８０００x"])
def test_what_is_no_port_is_refused(model: dict[str, str], port: str) -> None:
    assert refusal({**model, "GATEWAY_PORT": port}).startswith(f"GATEWAY_PORT={port} is not a port")


def test_a_storage_of_ones_own_needs_a_bucket(model: dict[str, str]) -> None:
    own = {**model, "S3_ENDPOINT_URL": "https://s3"}
    assert "S3_BUCKET" in refusal(own)
    check_environment({**own, "S3_BUCKET": "pictures"})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A copy of the bundled model that a test may damage."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def model_refusal(folder: Path, **given: str) -> str:
    with pytest.raises(ProcessError) as refused:
        check_models({"WORKER_MODEL": str(folder), **given})
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_the_bundled_model_is_whole() -> None:
    check_models({"WORKER_MODEL": str(TINY)})


@pytest.mark.parametrize("name", ["model.safetensors", "movqgan/model.safetensors"])
def test_a_file_that_was_cut_short_is_named(tiny: Path, name: str) -> None:
    """Found: a damaged image tokenizer was named after 99 s, when the decoder had loaded. Right: at once."""
    (tiny / name).write_bytes((tiny / name).read_bytes()[:-1000])
    assert Path(name).name in model_refusal(tiny)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json"])
def test_a_damaged_description_is_named(tiny: Path, name: str) -> None:
    (tiny / name).write_text("{")
    assert name in model_refusal(tiny)


def test_an_image_tokenizer_of_another_model_is_named(tiny: Path) -> None:
    write_image_tokenizer(tiny / "movqgan", 32)
    assert "do not belong together" in model_refusal(tiny)


def test_with_a_tokenizer_service_of_ones_own_the_decoder_alone_is_judged(tiny: Path) -> None:
    shutil.rmtree(tiny / "movqgan")
    check_models({"WORKER_MODEL": str(tiny), "TOKENIZER_URL": "http://tokenizer"})
