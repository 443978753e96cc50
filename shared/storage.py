"""Pictures in an S3 bucket: written once, each under a key of its own, read through signed URLs.

No two pictures share an object, so one may be deleted whoever stores the same bytes at that moment:
docs/decisions/0009-no-two-pictures-share-an-object.md.
"""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.ids import IdKind, format_id
from shared.settings import StorageSettings

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 4


class StorageError(Exception):
    """The object storage did not do what was asked; trying again later may help."""


class ObjectMissingError(StorageError):
    """There is no object under this key."""


@dataclass(frozen=True)
class StoredObject:
    """What a put leaves behind."""

    key: str
    sha256: bytes
    byte_size: int


def upload_folder(project_id: UUID) -> str:
    """A folder for one upload: a new one each time, also for the same bytes."""
    return f"{format_id(IdKind.PROJECT, project_id)}/uploads/{uuid4().hex}"


def answer_folder(project_id: UUID, job_id: UUID, index: int) -> str:
    """The folder of one picture of a job: the same for each of its attempts, and for no other job."""
    return f"{format_id(IdKind.PROJECT, project_id)}/{format_id(IdKind.JOB, job_id)}/{index}"


def content_key(folder: str, sha256: bytes, media_type: str) -> str:
    """The key of a picture in its folder: attempts that make the same bytes mean the same object."""
    return f"{folder}/{sha256.hex()}.{EXTENSIONS.get(media_type, 'bin')}"


class ObjectStorage:
    """One bucket. Methods block: the gateway calls them in a thread. boto3 retries transient faults."""

    def __init__(self, settings: StorageSettings) -> None:
        self._bucket = settings.bucket
        self._prefix = settings.prefix
        self._url_lifetime_seconds = settings.url_lifetime_seconds
        self._client = make_client(settings, settings.endpoint_url)
        self._signer = make_client(settings, settings.public_endpoint_url or settings.endpoint_url)

    def put_image(self, folder: str, data: bytes, media_type: str) -> StoredObject:
        """Store a picture in its folder; storing it again there changes nothing. Raises StorageError."""
        sha256 = hashlib.sha256(data).digest()
        key = content_key(folder, sha256, media_type)
        self.put_once(key, data, media_type)
        return StoredObject(key, sha256, len(data))

    def put_once(self, key: str, data: bytes, media_type: str) -> bool:
        """Write the object unless the key is taken; returns whether it was written. Raises StorageError.

        The server decides (`If-None-Match: *`), so a late attempt cannot overwrite what another has stored.
        """
        try:
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

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises ObjectMissingError or StorageError."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return bytes(answer["Body"].read())
        except ClientError as error:
            if status_of(error) == 404:
                raise ObjectMissingError(f"there is no object {key}") from error
            raise StorageError(f"could not read {key}: {error}") from error
        except BotoCoreError as error:
            raise StorageError(f"could not read {key}: {error}") from error

    def delete(self, key: str) -> None:
        """Remove the object; removing it again is no error. Raises StorageError."""
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"could not delete {key}: {error}") from error

    def signed_url(self, key: str, *, file_name: str | None = None) -> str:
        """A URL that reads the object without credentials until it expires; computed, nothing is asked."""
        parameters = {"Bucket": self._bucket, "Key": self._prefix + key}
        if file_name is not None:
            parameters["ResponseContentDisposition"] = f'inline; filename="{file_name}"'
        return str(
            self._signer.generate_presigned_url(
                "get_object", Params=parameters, ExpiresIn=self._url_lifetime_seconds
            )
        )

    def is_reachable(self) -> bool:
        """Whether the bucket answers; for readiness."""
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError):
            return False
        return True


def status_of(error: ClientError) -> int:
    """The HTTP status of a refused request."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def make_client(settings: StorageSettings, endpoint_url: str | None) -> Any:
    """A boto3 client; with path-style addresses, since few servers but Amazon have a host name per bucket."""
    access_key, secret_key = settings.access_key_id, settings.secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=settings.region,
        aws_access_key_id=access_key.get_secret_value() if access_key else None,
        aws_secret_access_key=secret_key.get_secret_value() if secret_key else None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            s3={"addressing_style": "path" if endpoint_url else "auto"},
        ),
    )
