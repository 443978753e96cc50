"""Readers of event streams, many in one thread, each of which reconnects as a browser does."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

NO_CONTENT = 204
OK = 200
AGAIN_SECONDS = 0.2
"""Pause after a refused or broken connection; streams that end in order say themselves when to come back."""


@dataclass
class StreamReader:
    """One client that follows one job until the job has ended."""

    port: int
    key: str
    job_id: str
    sequences: list[int] = field(default_factory=list[int])
    """Numbers of the durable events, in order of arrival."""
    milliseconds: list[float] = field(default_factory=list[float])
    """Time from the writing of each event, by the database's clock on the same machine, to its arrival."""
    connections: int = 0
    last_id: str | None = None
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first event, which comes from the past: from then on the stream is live."""
    _has_ended: bool = False

    async def follow(self) -> None:
        """Read until the job has ended, over as many connections as it takes."""
        while not self._has_ended:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await self._connect()
            if not self._has_ended:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _connect(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        last = "" if self.last_id is None else f"Last-Event-ID: {self.last_id}\r\n"
        writer.write(
            f"GET /v1/jobs/{self.job_id}/events?types=job.* HTTP/1.1\r\nHost: benchmark\r\n"
            f"Authorization: Bearer {self.key}\r\n{last}\r\n".encode()
        )
        try:
            status = int((await reader.readline()).split()[1])
            while (await reader.readline()).strip():
                pass
            if status == NO_CONTENT:
                self._has_ended = True
            elif status == OK:
                self.connections += 1
                await self._read(reader)
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Read lines and leave out the sizes of chunks, which contain no colon."""
        fields: dict[str, str] = {}
        while line := await reader.readline():
            name, colon, value = line.decode().rstrip("\r\n").partition(":")
            if colon:
                fields[name] = value.removeprefix(" ")
            elif line == b"\n":
                self._take(fields)
                fields = {}

    def _take(self, fields: dict[str, str]) -> None:
        arrived = time.time()
        self.last_id = fields.get("id", self.last_id)
        if "data" not in fields or "id" not in fields:
            return
        event: dict[str, Any] = json.loads(fields["data"])
        self.sequences.append(event["sequence"])
        self.is_open.set()
        written = datetime.fromisoformat(event["created_at"]).timestamp()
        self.milliseconds.append(1000 * (arrived - written))
        self._has_ended = event["job"] is not None
