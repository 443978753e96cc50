"""Requests generated from the OpenAPI document, with all checks of schemathesis."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from services.api.process import gateway
from services.api.process.image_fetching import ImageFetcher
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.egress.guard import Address
from tests.support.factories import make_project
from tests.support.gateway.running import make_key
from tests.support.gateway.served import served

CONFIGURATION = """
[checks.positive_data_acceptance]
# 422 is judged by our own check, by its reason: tests/support/gateway/schema_reasons.py
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "410", "412", "422", "429"]
"""


async def no_address(_host: str, _port: int) -> Sequence[Address]:
    """A name server that knows no name, so that the test sends no requests to other machines."""
    raise OSError("no such name")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("examples", "cases"), [(2, 200), pytest.param(20, 2000, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_the_gateway_keeps_to_its_document(
    gateway_settings: GatewayProcessSettings,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    examples: int,
    cases: int,
) -> None:
    """Checks status codes, types, schemas, headers, the key, and that only valid data is accepted."""
    monkeypatch.setattr(gateway, "ImageFetcher", partial(ImageFetcher, resolve=no_address))
    token = make_key(database, make_project(database, "schemathesis"))
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    # event streams and waits for pictures end at once
    with served(
        gateway_settings, max_queued_jobs=100_000, stream_seconds=0.01, openai_wait_seconds=0.01
    ) as place:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"),
            f"http://127.0.0.1:{place.port}/openapi.json",
            *("--header", f"Authorization: Bearer {token}", "--checks", "all", "--seed", "17"),
            *("--max-examples", str(examples), "--continue-on-failure", "--no-color"),
            *("--generation-database", "none"),
        ]
        root = Path(__file__).parents[3]
        environment = os.environ | {
            "PYTHONPATH": str(root),
            "SCHEMATHESIS_HOOKS": "tests.support.gateway.schema_reasons",
        }
        run = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
    generated = re.search(r"([\d,]+) generated", run.stdout)
    assert run.returncode == 0, json.dumps(run.stdout[-8000:] + run.stderr[-2000:])
    assert generated is not None
    assert int(generated[1].replace(",", "")) >= cases
