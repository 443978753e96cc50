"""Fill a folder with a model from a bucket, checked by its list of hashes, before a worker starts.

    python -m infra.model_cache s3://BUCKET/PREFIX FOLDER [--only PATTERN]

The bucket's folder has a file `SHA256SUMS`, as `sha256sum` writes it, with a line for each file.
MODEL_SHA256, the hash of that file, pins the model: another one is refused. S3_* are those of the services,
and the bucket is the one in the address. Several processes may fill one shared folder: one downloads, the
others wait. An interrupted download goes on with the files that are missing. The folder appears when it is
complete and checked.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import click
from botocore.exceptions import BotoCoreError, ClientError

from shared.settings import SettingsError, StorageSettings
from shared.storage import StorageTimes, make_client

MANIFEST, COMPLETE = "SHA256SUMS", ".complete"
"""The list of hashes in the bucket; the file in the folder that names the list and pattern it came from."""


class ModelCacheError(click.ClickException):
    """The folder cannot be filled; the message is one line."""


@dataclass(frozen=True)
class ModelFile:
    """A line of the manifest."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A folder of a bucket."""

    client: Any
    bucket: str
    prefix: str

    def key(self, path: str) -> str:
        """The object's key of a file."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def read(self, path: str) -> bytes:
        """A small file."""
        return self.client.get_object(Bucket=self.bucket, Key=self.key(path))["Body"].read()

    def download(self, path: str, target: Path) -> None:
        """A file of any size, in several parts at the same time."""
        self.client.download_file(self.bucket, self.key(path), str(target))


def source_of(address: str) -> Source:
    """The folder at s3://BUCKET/PREFIX, with the credentials of S3_*. Raises ModelCacheError."""
    parts = urlsplit(address)
    if parts.scheme != "s3" or not parts.netloc:
        raise ModelCacheError(f"{address} is not an address like s3://bucket/folder")
    try:
        settings = StorageSettings.model_validate({"bucket": parts.netloc})
    except SettingsError as error:
        raise ModelCacheError(str(error)) from error
    return Source(make_client(settings, StorageTimes()), parts.netloc, parts.path.strip("/"))


def parse_manifest(text: str) -> list[ModelFile]:
    """The lines of `sha256sum`. Raises ModelCacheError for other lines and for paths out of the folder."""
    files: list[ModelFile] = []
    for number, line in enumerate(text.splitlines(), 1):
        sha256, _, path = line.partition(" ")
        path = path.removeprefix(" ").removeprefix("*").removeprefix("./")
        parts = PurePosixPath(path).parts
        if len(sha256) != 64 or not parts or ".." in parts or path.startswith("/"):
            raise ModelCacheError(
                f"{MANIFEST}, line {number}: expected a SHA-256 hash and a path in the folder"
            )
        files.append(ModelFile(path, sha256.lower()))
    if not files:
        raise ModelCacheError(f"{MANIFEST} is empty")
    return files


def hash_of(file: Path) -> str:
    """The SHA-256 hash of a file in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def fill(address: str, folder: Path, pinned: str | None, only: str) -> str:
    """Fill the folder unless it is complete. Returns what was done. Raises ModelCacheError."""
    if pinned and is_complete(folder, pinned, only):
        return f"{folder} is complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder.with_name(f".{folder.name}.lock")):
        try:
            return fill_alone(source_of(address), folder, pinned, only)
        except (BotoCoreError, ClientError) as error:
            raise ModelCacheError(f"{address}: {str(error).splitlines()[0]}") from error
        except OSError as error:
            raise ModelCacheError(f"{error.filename or folder}: {error.strerror}") from error


def fill_alone(source: Source, folder: Path, pinned: str | None, only: str) -> str:
    """As `fill`, with the lock held."""
    manifest = source.read(MANIFEST)
    sha256 = hashlib.sha256(manifest).hexdigest()
    if pinned and sha256 != pinned:
        raise ModelCacheError(f"{MANIFEST} has the hash {sha256}, but MODEL_SHA256 is {pinned}")
    if is_complete(folder, sha256, only):
        return f"{folder} is complete"
    if folder.exists():
        raise ModelCacheError(f"{folder} has another model: give each version a folder of its own")
    files = [file for file in parse_manifest(manifest.decode()) if fnmatch(file.path, only)]
    if not files:
        raise ModelCacheError(f"no file of {MANIFEST} matches {only}")
    partial = folder.with_name(f".{folder.name}.{sha256[:16]}.partial")
    loaded = sum(fetch(source, file, partial) for file in files)
    (partial / COMPLETE).write_text(mark(sha256, only))
    partial.rename(folder)
    return f"{folder} has {len(files)} files, {loaded} of them downloaded now"


def fetch(source: Source, file: ModelFile, partial: Path) -> bool:
    """Download a file unless an earlier start has; returns whether it did. Raises ModelCacheError."""
    target = partial / file.path
    if target.exists():  # it got its name after its hash was checked
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    unchecked = target.with_name(f"{target.name}.unchecked")
    source.download(file.path, unchecked)
    if (found := hash_of(unchecked)) != file.sha256:
        unchecked.unlink()
        raise ModelCacheError(f"{file.path} has the hash {found}, but {MANIFEST} says {file.sha256}")
    unchecked.rename(target)
    return True


def is_complete(folder: Path, sha256: str, only: str) -> bool:
    """Whether the folder was filled from this manifest by this pattern."""
    complete = folder / COMPLETE
    return complete.exists() and complete.read_text() == mark(sha256, only)


def mark(sha256: str, only: str) -> str:
    """The content of the file that says that a folder is complete."""
    return f"{sha256} {only}\n"


@contextmanager
def one_at_a_time(lock: Path) -> Generator[None]:
    """Hold the lock of a folder, on every machine that shares it; the kernel frees it when a process ends."""
    with lock.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


@click.command()
@click.argument("source")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--only", default="*", help="Pattern of the files to fetch, such as `movqgan*`.")
def main(source: str, folder: Path, only: str) -> None:
    """Fill FOLDER with the model at SOURCE, s3://BUCKET/PREFIX."""
    click.echo(fill(source, folder, os.environ.get("MODEL_SHA256") or None, only))


if __name__ == "__main__":
    sys.exit(main())
