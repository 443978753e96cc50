"""Call a tool: check its arguments, do what it says, and build the result."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import mcp_types as types
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.audit.requests import JOB_CANCELED, record_if_written
from services.api.auth.api_keys import Caller
from services.api.jobs.cancel import cancel_job
from services.api.jobs.repository import is_final, read_job
from services.api.mcp.arguments import (
    Arguments,
    Cancel,
    Create,
    Dense,
    Drawing,
    Edit,
    Extend,
    Job,
    SessionTree,
    Vary,
)
from services.api.mcp.drawing import Drawer, parsed
from services.api.mcp.follow import Report, follow
from services.api.mcp.outcome import JobFacts, facts_of, sentences
from services.api.mcp.pictures import MESSAGE_BYTES, shown
from services.api.mcp.trees import facts_of_tree, outline
from services.api.process.gateway import Gateway
from services.api.sessions.repository import read_tree
from services.api.sessions.view import view_tree
from shared.ids import IdKind, format_id, parse_id
from shared.job_view.view import JobRows
from shared.jobs import JobState
from shared.tables import Turn

FIRST_WITH_LINKS = "2025-06-18"
"""Version of the protocol from which on results may have resource links. Versions are dates."""
FAILED = frozenset({JobState.FAILED, JobState.EXPIRED})


@dataclass(frozen=True)
class Toolbox:
    """The tools for one request. All methods raise Problem.

    version: of the protocol that the client speaks.
    """

    gateway: Gateway
    caller: Caller
    version: str

    async def draw(self, asked: Drawing) -> UUID:
        """Queue what the tool asks for; the id of the job."""
        drawer = Drawer(self.gateway, self.caller)
        match asked:
            case Create():
                return await drawer.create(asked)
            case Edit():
                return await drawer.edit(asked)
            case Vary():
                return await drawer.vary(asked)
            case Extend():
                return await drawer.extend(asked)
            case Dense():
                return await drawer.dense(asked)
            case _:
                raise TypeError(type(asked).__name__)

    async def call(self, asked: Arguments, report: Report) -> types.CallToolResult:
        """The result of a tool; a tool that draws waits for its pictures. report: takes the progress."""
        match asked:
            case Drawing():
                seconds = asked.wait_seconds
                wait = self.gateway.settings.gateway.mcp_wait_seconds if seconds is None else seconds
                return await self.job_after(await self.draw(asked), wait, report)
            case Job():
                return await self.job_after(parse_id(IdKind.JOB, asked.job_id), asked.wait_seconds, report)
            case Cancel():
                job_id = parse_id(IdKind.JOB, asked.job_id)
                await self.cancel(job_id)
                return await self.job(job_id)
            case SessionTree():
                return await self.tree(asked)
            case _:
                raise TypeError(type(asked).__name__)

    async def job_after(self, job_id: UUID, seconds: float, report: Report) -> types.CallToolResult:
        """The job when it has ended, or after `seconds`."""
        async with self.gateway.database.transaction() as session:
            await session.run_sync(read_job, self.caller.project_id, job_id)
        if seconds:
            await follow(self.gateway, job_id, seconds, report)
        return await self.job(job_id)

    async def job(self, job_id: UUID) -> types.CallToolResult:
        """The job as it is now, with its pictures."""
        async with self.gateway.database.transaction() as session:
            rows, turn = await session.run_sync(read_with_turn, self.caller.project_id, job_id)
        facts = facts_of(rows, turn, self.gateway.settings.gateway.public_url)
        pictures = await self._pictures(rows)
        return types.CallToolResult(
            content=[types.TextContent(text=sentences(facts)), *pictures, *self._links(rows, facts)],
            structured_content=facts.model_dump(mode="json"),
            is_error=facts.status in FAILED and not facts.pictures,
        )

    async def cancel(self, job_id: UUID) -> None:
        """Cancel the job, unless it has ended."""

        def cancel(session: Session) -> None:
            has_ended = is_final(session, self.caller.project_id, job_id)
            cancel_job(session, self.caller.project_id, job_id)
            if not has_ended:
                record_if_written(session, JOB_CANCELED, format_id(IdKind.JOB, job_id))

        async with self.gateway.database.transaction() as session:
            await session.run_sync(cancel)

    async def tree(self, asked: SessionTree) -> types.CallToolResult:
        """A page of a session's tree."""
        session_id = parse_id(IdKind.SESSION, asked.session_id)
        async with self.gateway.reads.transaction() as session:
            rows = await session.run_sync(read_tree, self.caller.project_id, session_id, asked.after)
        tree = view_tree(rows, self.gateway.settings.gateway.public_url)
        return types.CallToolResult(
            content=[types.TextContent(text=outline(tree))], structured_content=facts_of_tree(tree)
        )

    async def _pictures(self, rows: JobRows) -> list[types.ImageContent]:
        kept = [output.image for output in rows.outputs if not output.image.is_expired]
        found = [await shown(self.gateway, image, MESSAGE_BYTES // len(kept)) for image in kept]
        return [
            types.ImageContent(data=base64.b64encode(one.data).decode(), mime_type=one.media_type)
            for one in found
        ]

    def _links(self, rows: JobRows, facts: JobFacts) -> Sequence[types.ResourceLink]:
        if self.version < FIRST_WITH_LINKS:
            return ()
        return [
            types.ResourceLink(
                uri=picture.resource,
                name=picture.image_id,
                title=facts.prompt and facts.prompt[:100],
                mime_type=output.image.media_type,
                size=output.image.byte_size,
            )
            for picture, output in zip(facts.pictures, rows.outputs, strict=True)
            if not picture.expired
        ]


def read_with_turn(session: Session, project_id: UUID, job_id: UUID) -> tuple[JobRows, Turn | None]:
    """A job, and its turn if it belongs to a session. Raises Problem."""
    rows = read_job(session, project_id, job_id)
    turn = session.scalars(select(Turn).where(Turn.job_id == job_id, Turn.deleted_at.is_(None))).first()
    return rows, turn


def read_arguments(kind: type[Arguments], given: Mapping[str, Any] | None) -> Arguments:
    """The arguments of a call. Raises Problem that names the faulty one."""
    return parsed(kind, dict(given or {}))
