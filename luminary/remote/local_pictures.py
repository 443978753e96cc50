"""Pictures on this machine that an agent names by their path: they are uploaded, their ids sent instead."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from luminary.remote.platform import problem

if TYPE_CHECKING:
    import httpx2

MEDIA_TYPES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp", b"GIF8": "gif"}
"""Kinds of pictures by the beginning of their files."""
ARGUMENTS = ("image", "mask")
"""Arguments of tools that may be a picture."""
LONGEST_PATH = 4096
FILE_SCHEME = "file://"
BEGINNINGS = ("/", "~", "./", "../", FILE_SCHEME)


def local_files(message: Any) -> dict[str, Path]:
    """The files that a tool call names, by argument; empty for any other message."""
    if getattr(message, "method", None) != "tools/call" or not hasattr(message, "id"):
        return {}
    given = (message.params or {}).get("arguments")
    if not isinstance(given, dict):
        return {}
    return {name: path for name in ARGUMENTS if (path := local_file(given.get(name))) is not None}


def local_file(given: Any) -> Path | None:
    """The path that a text means; None for a URL, an id and anything else."""
    if not isinstance(given, str) or len(given) > LONGEST_PATH:
        return None
    if given.startswith(FILE_SCHEME):
        return Path(unquote(urlsplit(given).path))
    is_path = given.startswith(BEGINNINGS) or (given[1:3] in {":\\", ":/"} and given[0].isalpha())
    return Path(given).expanduser() if is_path else None


@dataclass(frozen=True)
class Upload:
    """Sends files to the platform."""

    client: "httpx2.AsyncClient"
    url: str

    async def send(self, file: Path) -> str:
        """Upload the picture and return its id. Raises OSError with one line.

        Only files that begin as a picture are sent: an agent could be talked into naming any file.
        """
        data = await asyncio.to_thread(read_picture, file)
        response = await self.client.post(f"{self.url}/v1/images", files={"file": ("picture", data)})
        if response.is_error:
            raise OSError(f"{file}: {words(response.status_code, response.content)}")
        return response.json()["id"]


def read_picture(file: Path) -> bytes:
    """The content of a picture file. Raises OSError with one line."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise OSError(f"{file} cannot be read: {error.strerror}") from error
    if not data.startswith(tuple(MEDIA_TYPES)):
        raise OSError(f"{file} is not a PNG, JPEG, WebP or GIF picture")
    return data


def words(status: int, body: bytes) -> str:
    """The reason of a refusal. The client turns problems into errors of JSON-RPC."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return problem(status, body)
