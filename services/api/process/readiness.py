"""Readiness of the gateway, and which of the servers behind it answer.

The gateway is unavailable only if PostgreSQL does not accept writes; with a full disk it still answers
queries. Without the broker, jobs are still queued and claimed; without the object storage, they can still be
queued and read. Taking every gateway out of service would make either outage worse.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.api.process.background_tasks import end_tasks

PROBE_SECONDS = 3.0
"""A server that does not answer within this time counts as failing."""
POSTGRES, BROKER, STORAGE = "postgres", "broker", "storage"


class Readiness(BaseModel):
    """The response of /ready."""

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
    """The check of one server; concurrent callers share one running check.

    A check may block its thread for much longer than callers wait; they do not start a second one then.
    """

    def __init__(self, check: Callable[[], Awaitable[bool]]) -> None:
        self._check = check
        self._running: asyncio.Task[bool] | None = None

    async def answers(self, seconds: float = PROBE_SECONDS) -> bool:
        """Whether the check succeeds within `seconds`."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._run())
        done, _ = await asyncio.wait({self._running}, timeout=seconds)
        return self._running in done and self._running.result()

    async def _run(self) -> bool:
        return await self._check()

    async def close(self) -> None:
        """Cancel the running check."""
        if self._running is not None:
            await end_tasks([self._running])


async def ask(probes: Mapping[str, Probe]) -> Readiness:
    """Check all servers at the same time."""
    answers = await asyncio.gather(*(probe.answers() for probe in probes.values()))
    return judge(dict(zip(probes, answers, strict=True)))


def judge(answers: Mapping[str, bool]) -> Readiness:
    """The gateway's status from the results of the checks."""
    if not answers[POSTGRES]:
        status = "unavailable"
    elif all(answers.values()):
        status = "ready"
    else:
        status = "degraded"
    return Readiness(
        status=status, checks={name: "ok" if answer else "failing" for name, answer in answers.items()}
    )
