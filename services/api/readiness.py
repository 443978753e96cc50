"""Whether the gateway can serve, and which of the servers behind it answer.

Only PostgreSQL decides: without the broker jobs are queued and claimed all the same, and without the object
storage they can be queued and read. Taking every gateway out of service would make either fault worse.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

PROBE_SECONDS = 3.0
"""A server that does not answer within this time is taken for unreachable."""
POSTGRES, BROKER, STORAGE = "postgres", "broker", "storage"


class Readiness(BaseModel):
    """The answer of /ready."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "degraded",
                    "checks": {"postgres": "ok", "broker": "failing", "storage": "ok"},
                }
            ]
        }
    )

    status: Literal["ready", "degraded", "unavailable"]
    checks: dict[str, Literal["ok", "failing"]]


class Probe:
    """One question to one server, asked once at a time however many ask for its answer.

    A check may hang in a thread far longer than anyone waits for it; askers then share that one thread.
    """

    def __init__(self, check: Callable[[], Awaitable[bool]]) -> None:
        self._check = check
        self._running: asyncio.Task[bool] | None = None

    async def answers(self, seconds: float = PROBE_SECONDS) -> bool:
        """Whether the server answered in time."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._run())
        done, _ = await asyncio.wait({self._running}, timeout=seconds)
        return self._running in done and self._running.result()

    async def _run(self) -> bool:
        return await self._check()

    async def close(self) -> None:
        """Stop asking."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait({self._running})


async def ask(probes: Mapping[str, Probe]) -> Readiness:
    """Ask every server at the same time."""
    answers = await asyncio.gather(*(probe.answers() for probe in probes.values()))
    return judge(dict(zip(probes, answers, strict=True)))


def judge(answers: Mapping[str, bool]) -> Readiness:
    """What the answers mean for the gateway."""
    if not answers[POSTGRES]:
        status = "unavailable"
    elif all(answers.values()):
        status = "ready"
    else:
        status = "degraded"
    return Readiness(
        status=status, checks={name: "ok" if answer else "failing" for name, answer in answers.items()}
    )
