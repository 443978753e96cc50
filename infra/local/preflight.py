"""Checks before `luminary up` starts anything; each error is reported in one line."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.ports import is_free, port_is_taken
from infra.local.process import ProcessError
from infra.local.services import tokenizer_model
from services.tokenizer.settings import TokenizerServiceSettings
from services.worker.settings import GpuWorkerSettings

LARGEST_PORT = 65_535
CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def check_environment(given: Mapping[str, str]) -> None:
    """Raise ProcessError for a port in use, a missing model, or an S3 endpoint without a bucket."""
    for name in ("GATEWAY_PORT", "TOKENIZER_PORT"):
        if given.get(name):
            check_port(name, given[name])
    check_decoder(given.get("WORKER_MODEL") or default_of(GpuWorkerSettings))
    if not given.get("TOKENIZER_URL"):
        found = {**given, **tokenizer_model(given)}
        check_image_tokenizer(found.get("TOKENIZER_MODEL") or default_of(TokenizerServiceSettings))
    if given.get("S3_ENDPOINT_URL") and not given.get("S3_BUCKET"):
        raise ProcessError("S3_ENDPOINT_URL is set but S3_BUCKET is not: set it to the bucket for pictures.")


def check_models(given: Mapping[str, str]) -> None:
    """Raise ProcessError for model files that are damaged or do not belong together.

    A separate process reads the files' headers, so that the supervisor does not have to import PyTorch.
    """
    model = given.get("WORKER_MODEL") or default_of(GpuWorkerSettings)
    command = [sys.executable, "-m", "luminary.local.folder_check", model]
    if given.get("TOKENIZER_URL"):
        command.append("--decoder-only")
    else:
        found = {**given, **tokenizer_model(given)}
        command += ["--image-tokenizer", found.get("TOKENIZER_MODEL") or default_of(TokenizerServiceSettings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own module)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1].removeprefix("Error: ")
        raise ProcessError(f"The model in {model} cannot be used: {last}")


def default_of(settings: type[GpuWorkerSettings] | type[TokenizerServiceSettings]) -> str:
    """The default model folder of the service."""
    return str(settings.model_fields["model"].default)


def check_port(name: str, value: str) -> None:
    """Raise ProcessError unless the value is a port number and the port is free."""
    if not value.isdecimal() or not 0 < int(value) <= LARGEST_PORT:
        raise ProcessError(f"{name}={value} is not a port: use a number from 1 to {LARGEST_PORT}.")
    if not is_free(int(value)):
        raise port_is_taken(name, int(value))


def check_decoder(model: str) -> None:
    """Raise ProcessError unless the folder has a config.json and weights."""
    if not (Path(model) / CONFIG).is_file():
        raise ProcessError(
            f"There is no model in {model} (no {CONFIG}): name one with --model FOLDER or WORKER_MODEL. "
            f"Luminary's sources have a small one in {default_of(GpuWorkerSettings)}."
        )
    if not any((Path(model) / name).is_file() for name in WEIGHTS):
        raise ProcessError(f"The model in {model} has no weights: there is neither {' nor '.join(WEIGHTS)}.")


def check_image_tokenizer(model: str) -> None:
    """Raise ProcessError unless the image tokenizer exists and, if it is a folder, has weights."""
    if not Path(model).exists():
        raise ProcessError(f"There is no image tokenizer in {model}: set TOKENIZER_MODEL to its folder.")
    if Path(model).is_dir() and not (Path(model) / WEIGHTS[0]).is_file():
        raise ProcessError(f"The image tokenizer in {model} has no weights: there is no {WEIGHTS[0]}.")
