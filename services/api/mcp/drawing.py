"""Queue what a tool asks for: a job, a turn of a session, or a session with its first turn."""

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.once import FirstAnswer
from services.api.jobs.submit import order_job, submit
from services.api.mcp.arguments import Create, Dense, Drawing, Edit, Extend, Vary
from services.api.problems.validation import validation_problem
from services.api.process.gateway import Gateway
from services.api.sessions.create import create_session
from services.api.sessions.requests import SessionRequest, TurnRequest
from services.api.sessions.turns import post_turn
from shared.ids import IdKind, parse_id
from shared.schemas.jobs import JobRequest
from shared.tables import Candidate, Job, JobRequestRow
from shared.tasks import Task

AS_DRAWN = ("prompt", "negative_prompt", "model")
"""Fields that a new picture has in common with the one that it starts from, unless they are given."""
GIVEN = ("task", "image", "control", "target")
"""Fields that a variation has in common with its picture in any case."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Drawer:
    """Queues jobs for a caller. All methods raise Problem and return the job's id."""

    gateway: Gateway
    caller: Caller

    async def create(self, asked: Create) -> UUID:
        """Draw from a text: the first turn of a new session, or a turn of the given one."""
        if asked.session_id is not None:
            return await self._turn(asked.session_id, {**asked.fields(), "task": Task.TEXT_TO_IMAGE})
        return await self._session({**asked.fields(), "title": asked.title})

    async def edit(self, asked: Edit) -> UUID:
        """Change a picture: in its session, or as the first turn of a new one."""
        if asked.session_id is None:
            return await self._session(asked.fields())
        place = {} if asked.origin is None else {"from": asked.origin}
        return await self._turn(asked.session_id, {**asked.fields(), **place, "task": Task.EDIT})

    async def vary(self, asked: Vary) -> UUID:
        """Draw the least certain part of a picture again."""
        drawn = await self._request_of(asked.image)
        again = {name: drawn[name] for name in (*GIVEN, *AS_DRAWN) if drawn.get(name) is not None}
        kept = {"keep_from": asked.image, "variation_strength": asked.strength}
        return await self._anywhere(asked, {**again, **asked.fields(), **kept})

    async def extend(self, asked: Extend) -> UUID:
        """Make a picture larger."""
        drawn = await self._request_of(asked.image)
        again = {name: drawn[name] for name in AS_DRAWN if drawn.get(name) is not None}
        larger = {"right": asked.right, "bottom": asked.bottom}
        kept = {"keep_from": asked.image, "extend": larger, "task": Task.TEXT_TO_IMAGE}
        return await self._anywhere(asked, {**again, **asked.fields(), **kept})

    async def dense(self, asked: Dense) -> UUID:
        """Draw a map of a picture."""
        return await self._anywhere(asked, {**asked.fields(), "task": Task.DENSE})

    async def _anywhere(self, asked: Drawing, fields: dict[str, Any]) -> UUID:
        if asked.session_id is not None:
            return await self._turn(asked.session_id, fields)
        order = order_job(parsed(JobRequest, fields), self.gateway.settings.gateway.public_url)
        return job_of(await submit(self.gateway, self.caller, order, None))

    async def _turn(self, session_id: str, fields: dict[str, Any]) -> UUID:
        asked = parsed(TurnRequest, fields)
        place = parse_id(IdKind.SESSION, session_id)
        return job_of(await post_turn(self.gateway, self.caller, place, asked, if_head=None, key=None))

    async def _session(self, fields: dict[str, Any]) -> UUID:
        return job_of(await create_session(self.gateway, self.caller, parsed(SessionRequest, fields), None))

    async def _request_of(self, picture: str) -> dict[str, Any]:
        """The request of the job that drew the picture; empty for an upload."""
        async with self.gateway.database.transaction() as session:
            return await session.run_sync(find_request, self.caller.project_id, picture)


def find_request(session: Session, project_id: UUID, picture: str) -> dict[str, Any]:
    """The request of the job that drew a picture of the project; empty for any other picture."""
    is_candidate = picture.startswith(f"{IdKind.CANDIDATE.value}_")
    kind, column = (IdKind.CANDIDATE, Candidate.id) if is_candidate else (IdKind.IMAGE, Candidate.image_id)
    statement = (
        select(JobRequestRow.request)
        .join(Job, Job.id == JobRequestRow.job_id)
        .join(Candidate, Candidate.job_id == Job.id)
        .where(column == parse_id(kind, picture), Job.project_id == project_id)
    )
    return dict(session.scalar(statement) or {})


def job_of(first: FirstAnswer) -> UUID:
    """The job that was queued."""
    if first.answer.job_id is None:
        raise RuntimeError("nothing was queued")
    return first.answer.job_id


def parsed(model: type[Model], fields: dict[str, Any]) -> Model:
    """The fields as the model. Raises Problem that names the faulty one."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise validation_problem(error.errors(include_url=False, include_input=False), model) from error
