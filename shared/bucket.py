"""One S3 bucket: write once, read, delete, list. boto3 retries transient errors."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from opentelemetry.trace import Span, SpanKind

from shared.errors import LuminaryError
from shared.ids import IdKind
from shared.settings import StorageSettings
from shared.tracing import names
from shared.tracing.spans import leaf


@dataclass(frozen=True)
class StorageTimes:
    """Timeouts and retries of a client."""

    connect_seconds: float = 5.0
    """Timeout of a connection attempt."""
    read_seconds: float = 30.0
    """Longest time without a received byte."""
    attempts: int = 4
    """Tries of one call."""


PROBE_TIMES = StorageTimes(connect_seconds=1.0, read_seconds=2.0, attempts=1)
"""Timeouts of health checks, which only ask whether the storage answers now."""
MOST_CONNECTIONS = 32
"""Connections of one client: at least as many as threads that call it."""


class StorageError(LuminaryError):
    """A call to the object storage failed; trying again later may help."""

    code = "storage_unavailable"
    retryable = True
    hint = "Check that the object storage answers, and the S3_* settings."


class ObjectMissingError(StorageError):
    """There is no object under this key."""

    code = "object_missing"
    retryable = False
    hint = "Send or generate the picture again."


@dataclass(frozen=True)
class ListedObject:
    """An object in a listing of the bucket."""

    key: str
    modified_at: datetime


class Bucket:
    """A bucket, or the part of it below a prefix of keys."""

    def __init__(self, settings: StorageSettings, times: StorageTimes) -> None:
        self._bucket = settings.bucket
        self._prefix = settings.prefix
        self._client = make_client(settings, times)
        self._prober = make_client(settings, PROBE_TIMES)

    def put_once(self, key: str, data: bytes, media_type: str) -> bool:
        """Write the object unless the key exists; returns whether it was written. Raises StorageError.

        The server checks that (`If-None-Match: *`), so a late attempt cannot overwrite another one's object.
        """
        try:
            with self._traced("PutObject", key):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=data,
                    ContentType=media_type,
                    IfNoneMatch="*",
                )
        except ClientError as error:
            if status_of(error) == 412:
                return False
            raise StorageError(f"could not store {key}: {error}") from error
        except BotoCoreError as error:
            raise StorageError(f"could not store {key}: {error}") from error
        return True

    def get(self, key: str, **options: str) -> bytes:
        """The object's bytes. options: of GetObject. Raises ObjectMissingError or StorageError."""
        try:
            with self._traced("GetObject", key):
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key, **options)
                return bytes(answer["Body"].read())
        except ClientError as error:
            if status_of(error) == 404:
                raise ObjectMissingError(f"there is no object {key}") from error
            raise StorageError(f"could not read {key}: {error}") from error
        except BotoCoreError as error:
            raise StorageError(f"could not read {key}: {error}") from error

    def delete(self, key: str) -> None:
        """Delete the object; a missing object is no error. Raises StorageError."""
        try:
            with self._traced("DeleteObject", key):
                self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"could not delete {key}: {error}") from error

    def exists(self, key: str) -> bool:
        """Whether there is an object under this key. Raises StorageError."""
        try:
            with self._traced("HeadObject", key):
                self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except ClientError as error:
            if status_of(error) == 404:
                return False
            raise StorageError(f"could not look for {key}: {error}") from error
        except BotoCoreError as error:
            raise StorageError(f"could not look for {key}: {error}") from error
        return True

    def _traced(self, operation: str, key: str) -> AbstractContextManager[Span]:
        """A span around one request, if it belongs to a trace."""
        attributes = {
            names.RPC_SYSTEM: names.AWS_API,
            names.RPC_METHOD: operation,
            names.S3_BUCKET: self._bucket,
            names.S3_KEY: self._prefix + key,
        }
        return leaf(names.STORAGE.format(operation=operation), attributes, SpanKind.CLIENT)

    def list_pictures(self, after: str, most: int) -> list[ListedObject]:
        """Up to `most` objects of projects whose keys follow `after`, in order of the keys' bytes.

        Raises StorageError.
        """
        start = {"StartAfter": self._prefix + after} if after else {}
        folder = f"{self._prefix}{IdKind.PROJECT.value}_"
        try:
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=folder, MaxKeys=most, **start)
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"could not list the objects after {after}: {error}") from error
        return [
            ListedObject(item["Key"].removeprefix(self._prefix), item["LastModified"])
            for item in page.get("Contents", ())
        ]

    def answers(self) -> bool:
        """Whether the server answers soon with any status below 500."""
        try:
            self._prober.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            return status_of(error) < 500
        except BotoCoreError:
            return False
        return True

    def is_reachable(self) -> bool:
        """Whether the bucket exists and may be accessed; for readiness."""
        try:
            self._prober.head_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError):
            return False
        return True


def status_of(error: ClientError) -> int:
    """The HTTP status of an error response; 0 if there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def make_client(settings: StorageSettings, times: StorageTimes) -> Any:
    """A boto3 client. Except at Amazon, the bucket is in the path: few servers have host names of buckets."""
    access_key, secret_key = settings.access_key_id, settings.secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=access_key.get_secret_value() if access_key else None,
        aws_secret_access_key=secret_key.get_secret_value() if secret_key else None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=times.connect_seconds,
            read_timeout=times.read_seconds,
            retries={"mode": "standard", "total_max_attempts": times.attempts},
            max_pool_connections=MOST_CONNECTIONS,
            s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
        ),
    )
