"""What can be seen to go wrong before anything is started, each told in one line."""

from collections.abc import Mapping
from pathlib import Path

from infra.local.ports import is_free, port_is_taken
from infra.local.process import ProcessError
from infra.local.services import tokenizer_model
from shared.settings import TokenizerSettings, WorkerSettings

LARGEST_PORT = 65_535
CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def check_environment(given: Mapping[str, str]) -> None:
    """Raise ProcessError for a port that is taken, a model that is missing, or a server half described."""
    for name in ("GATEWAY_PORT", "TOKENIZER_PORT"):
        if given.get(name):
            check_port(name, given[name])
    check_decoder(given.get("WORKER_MODEL") or default_of(WorkerSettings))
    if not given.get("TOKENIZER_URL"):
        found = {**given, **tokenizer_model(given)}
        check_image_tokenizer(found.get("TOKENIZER_MODEL") or default_of(TokenizerSettings))
    if given.get("S3_ENDPOINT_URL") and not given.get("S3_BUCKET"):
        raise ProcessError("S3_ENDPOINT_URL is set and S3_BUCKET is not: name the bucket for pictures.")


def default_of(settings: type[WorkerSettings] | type[TokenizerSettings]) -> str:
    """The model folder when nothing names one."""
    return str(settings.model_fields["model"].default)


def check_port(name: str, value: str) -> None:
    """Raise ProcessError unless a server could listen there."""
    if not value.isdecimal() or not 0 < int(value) <= LARGEST_PORT:
        raise ProcessError(f"{name}={value} is no port: give a number from 1 to {LARGEST_PORT}.")
    if not is_free(int(value)):
        raise port_is_taken(name, int(value))


def check_decoder(model: str) -> None:
    """Raise ProcessError unless the folder looks like a checkpoint."""
    if not (Path(model) / CONFIG).is_file():
        raise ProcessError(f"There is no model in {model} (no {CONFIG}): name one with --model FOLDER.")
    if not any((Path(model) / name).is_file() for name in WEIGHTS):
        raise ProcessError(f"The model in {model} has no weights: there is neither {' nor '.join(WEIGHTS)}.")


def check_image_tokenizer(model: str) -> None:
    """Raise ProcessError unless there is something to load."""
    if not Path(model).exists():
        raise ProcessError(f"There is no image tokenizer in {model}: name one with TOKENIZER_MODEL=FOLDER.")
    if Path(model).is_dir() and not (Path(model) / WEIGHTS[0]).is_file():
        raise ProcessError(f"The image tokenizer in {model} has no weights: there is no {WEIGHTS[0]}.")
