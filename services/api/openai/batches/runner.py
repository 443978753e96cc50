"""Do the steps of batches without end, in every gateway: each takes the batch that has waited longest.

Why gateways do this and not io workers: docs/decisions/0019-batches-run-in-gateways.md.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller, Limits
from services.api.auth.scopes import Scope
from services.api.openai.batches.collect import advance, cancel_jobs, collect_lines
from services.api.openai.batches.read_lines import read_piece
from services.api.openai.batches.steps import BatchLostError, TakenBatch, put_back, take_batch
from services.api.openai.batches.submit import submit_lines
from services.api.openai.batches.write_files import write_files
from services.api.openai.files.sweep import sweep_files
from services.api.problems.codes import Problem
from services.api.process.acting import Purpose, as_platform, as_project
from services.api.process.background_tasks import end_tasks
from services.api.process.gateway import Gateway
from shared.async_database import DATABASE_FAULTS
from shared.error_words import words_of
from shared.ids import IdKind, format_id
from shared.storage import StorageError
from shared.tables import BatchState, OpenAIBatch, Project

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""Pause while no batch is due."""
LOOK_SECONDS = 1.0
"""Pause before the jobs of a batch are looked at again."""
AGAIN_SECONDS = 10.0
"""Pause after a step that failed, or while the project takes no jobs."""
SWEEP_SECONDS = 300.0


class BatchRunner:
    """Runs the steps."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._swept_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Do steps without end. Faults of database and storage are waited out."""
        while True:
            try:
                await self._sweep()
                did_step = await self.do_one()
            except (*DATABASE_FAULTS, StorageError):
                did_step = False  # AsyncDatabase and StorageCalls log the outage
            except Exception:
                logger.exception("looking for batches failed; trying again later")
                did_step = False
            if not did_step:
                await asyncio.sleep(POLL_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  (a pause)

    async def do_one(self) -> bool:
        """Do one step of the batch that has waited longest. Returns False if none is due."""
        async with as_platform(Purpose.BATCHES), self._gateway.database.transaction() as session:
            batch = await session.run_sync(take_batch)
        if batch is None:
            return False
        with as_project(batch.row.project_id):
            await self._do(batch)
        return True

    async def _do(self, batch: TakenBatch) -> None:
        """Do the step and put the batch back, unless it was lost."""
        pause = AGAIN_SECONDS
        try:
            pause = await self._step(batch)
        except BatchLostError:
            return
        except (Problem, StorageError) as error:
            facts = {"batch_id": format_id(IdKind.BATCH, batch.row.id), "reason": words_of(error)}
            logger.warning("a step of a batch failed; trying again later", extra=facts)
        async with self._gateway.database.transaction() as session:
            await session.run_sync(put_back, batch, pause)

    async def _step(self, batch: TakenBatch) -> float:
        """Do the step. Returns the seconds until the next one."""
        async with self._gateway.database.transaction() as session:
            caller = await session.run_sync(caller_of, batch.row)
        if caller is None:
            return AGAIN_SECONDS
        match batch.state:
            case BatchState.VALIDATING:
                await read_piece(self._gateway, batch)
                return 0.0
            case BatchState.FINALIZING:
                await write_files(self._gateway, caller, batch)
                return 0.0
            case _:
                return await self._draw(batch, caller)

    async def _draw(self, batch: TakenBatch, caller: Caller) -> float:
        """Note the jobs that have ended, and submit or cancel others."""
        async with self._gateway.database.transaction() as session:
            collected = await session.run_sync(collect_lines, batch)
            has_advanced = await session.run_sync(advance, batch)
            if not has_advanced and batch.row.ending is not None:
                await session.run_sync(cancel_jobs, batch)
        if has_advanced or batch.row.ending is not None:
            return 0.0 if has_advanced else LOOK_SECONDS
        submitted = await submit_lines(self._gateway, caller, batch)
        if submitted.is_blocked:
            return AGAIN_SECONDS
        return 0.0 if collected or submitted.count else LOOK_SECONDS

    async def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            await sweep_files(self._gateway)


def caller_of(session: Session, batch: OpenAIBatch) -> Caller | None:
    """The caller of a batch's requests: the key that ordered it. None while the project is disabled.

    A key that was revoked afterwards does not end its batches; `cancel` does.
    """
    project = session.scalars(select(Project).where(Project.id == batch.project_id)).first()
    if project is None or project.disabled_at is not None:
        return None
    limits = Limits(
        project.max_queued_jobs,
        project.requests_per_minute,
        project.max_storage_bytes,
        project.pictures_per_day,
    )
    scopes = frozenset({Scope.READ, Scope.WRITE})
    return Caller(project.id, batch.key_id, "batch", scopes, (), limits, use_is_due=False)


@asynccontextmanager
async def open_batches(gateway: Gateway) -> AsyncGenerator[None]:
    """Do the steps of batches while the block runs."""
    task = asyncio.create_task(BatchRunner(gateway).run(), name="batches")
    try:
        yield
    finally:
        await end_tasks([task])
