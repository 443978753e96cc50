"""Start each process of the platform with malformed variables of all processes in its environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.services import celery_worker

ROOT = Path(__file__).parents[2]
MALFORMED = {
    "GATEWAY_PORT": "port",
    "WORKER_SLOTS": "many",
    "TOKENIZER_MAX_BATCH": "large",
}
"""One malformed variable of each service; no other service reads it."""
WHOLE = {
    "DATABASE_URL": "postgresql://luminary@127.0.0.1:1/luminary",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "S3_BUCKET": "pictures",
}


@pytest.mark.parametrize(
    ("command", "changed", "line"),
    [
        ([sys.executable, "-m", "services.api"], {}, "gateway: GATEWAY_PORT: "),
        ([sys.executable, "-m", "services.tokenizer"], {}, "tokenizer: TOKENIZER_MAX_BATCH: "),
        (celery_worker("worker", "generate", 1, 1.0).spec.command, {}, "worker: WORKER_SLOTS: "),
        (
            celery_worker("io-worker", "io", 1, 1.0).spec.command,
            {"JOB_MAX_INTERRUPTIONS": "0"},
            "worker: JOB_MAX_INTERRUPTIONS: ",
        ),
    ],
    ids=["gateway", "tokenizer", "worker", "io-worker"],
)
def test_a_process_ends_with_one_line_about_its_own_variable(
    tmp_path: Path, command: list[str], changed: dict[str, str], line: str
) -> None:
    """Fixed bug: the gateway ended because of a malformed WORKER_SLOTS, which it does not use."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LOG_FORMAT": "plain"}
    environment |= WHOLE | MALFORMED | changed | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    said = [words for words in done.stderr.splitlines() if "Input should" in words]
    assert len(said) == 1, done.stderr
    assert said[0].startswith(line)
    assert "Traceback" not in done.stderr
