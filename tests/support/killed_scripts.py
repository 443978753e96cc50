"""Python scripts that kill themselves at a point, with the environment of an io worker."""

import os
import signal
import subprocess
import sys

from shared.database import Database
from shared.settings import StorageSettings
from tests.support.source_tree import ROOT


def io_environment(database: Database, storage: StorageSettings, **more: str) -> dict[str, str]:
    """Environment variables with the test's database and bucket prefix."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    key, secret = storage.access_key_id, storage.secret_access_key
    assert key is not None
    assert secret is not None
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": url,
        "S3_BUCKET": storage.bucket,
        "S3_ENDPOINT_URL": storage.endpoint_url or "",
        "S3_ACCESS_KEY_ID": key.get_secret_value(),
        "S3_SECRET_ACCESS_KEY": secret.get_secret_value(),
        "S3_PREFIX": storage.prefix,
        **more,
    }


def run_until_killed(script: str, environment: dict[str, str]) -> None:
    """Run a script that must end by killing itself with SIGKILL."""
    killed = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
