"""Make roles, database and bucket, or bring them up to date: `python -m infra.containers.prepare`.

It waits for PostgreSQL and S3, because not every container engine can order the starts by health.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from infra.containers.make_secrets import PASSWORDS
from infra.local.postgres import DATABASE, OWNER, SERVICES
from infra.local.postgres_roles import Role
from migrations.roles import READER, Roles, create_roles
from shared.bucket import PROBE_TIMES, make_client
from shared.settings import StorageSettings, load_part

SECRETS_VARIABLE = "LUMINARY_SETUP_SECRETS"
"""Folder with the passwords and with the superuser's address, written by `make_secrets`."""
WAIT_SECONDS = 120.0
PROBE_KEY = ".ready"

patiently = retry(
    retry=retry_if_exception_type((psycopg.OperationalError, BotoCoreError, ClientError)),
    wait=wait_fixed(1.0),
    stop=stop_after_delay(WAIT_SECONDS),
    reraise=True,
)


@patiently
def prepare_database(folder: Path) -> None:
    """Create the roles, the database and their privileges; passwords of existing roles are set anew."""
    passwords: dict[str, str] = json.loads((folder / PASSWORDS).read_text())
    create_roles(
        Roles(
            admin_url=(folder / "superuser_url").read_text(),
            database=DATABASE,
            owner=Role(OWNER, passwords["owner"]),
            services=Role(SERVICES, passwords["services"]),
            readers=(Role(READER, passwords["reader"]),),
        )
    )


@patiently
def prepare_bucket(settings: StorageSettings) -> None:
    """Create the bucket if it is missing, and wait until it accepts an object."""
    client = make_client(settings, PROBE_TIMES)
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=settings.bucket)
    client.put_object(Bucket=settings.bucket, Key=settings.prefix + PROBE_KEY, Body=b"ready")


def main() -> None:
    """Prepare both; a server that does not answer in time is one line and exit status 1."""
    try:
        prepare_database(Path(os.environ[SECRETS_VARIABLE]))
        prepare_bucket(load_part(StorageSettings))
    except psycopg.OperationalError as error:
        sys.exit(f"prepare: PostgreSQL does not answer: {str(error).strip().splitlines()[0]}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"prepare: the object storage does not accept objects: {error}")


if __name__ == "__main__":
    main()
