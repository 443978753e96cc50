"""Create the bucket S3_BUCKET if it is missing: `python -m infra.bucket`."""

import sys

from botocore.exceptions import BotoCoreError, ClientError

from shared.settings import SettingsError, StorageSettings, load_part
from shared.storage import StorageTimes, make_client


def create_bucket(settings: StorageSettings) -> bool:
    """Create the bucket; returns whether it was missing. Raises BotoCoreError and ClientError."""
    client = make_client(settings, StorageTimes())
    if any(bucket["Name"] == settings.bucket for bucket in client.list_buckets()["Buckets"]):
        return False
    client.create_bucket(Bucket=settings.bucket)
    return True


def main() -> None:
    """Create the bucket; a fault is one line and exit status 1."""
    try:
        create_bucket(load_part(StorageSettings))
    except SettingsError as error:
        sys.exit(f"bucket: {error}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"bucket: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
