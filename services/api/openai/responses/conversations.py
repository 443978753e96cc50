"""Sessions under OpenAI's name: create, read, change, delete, list what was said."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Request
from pydantic import ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.repository import read_job
from services.api.openai.chat.conversation import last_picture
from services.api.openai.pictures.sources import source_of
from services.api.openai.responses.items import as_source
from services.api.openai.responses.objects import ConversationObject
from services.api.openai.responses.paging import shown_items
from services.api.openai.responses.repository import list_rows
from services.api.openai.responses.requests import MOST_ITEMS, Item, message_of
from services.api.openai.responses.view import Answered, call_item, message_item
from services.api.openai.wire.fields import OpenAIFields, validated
from services.api.openai.wire.json_body import read_object
from services.api.process.gateway import Gateway
from services.api.sessions.change import change_session
from services.api.sessions.create import create_session
from services.api.sessions.delete import delete_session
from services.api.sessions.parents import find_session
from services.api.sessions.requests import SessionChange, SessionRequest
from shared.ids import IdKind, format_id, parse_id
from shared.schemas.fields import Metadata
from shared.tables import ResponseRow, SessionRow, Turn


class ConversationRequest(OpenAIFields):
    """A conversation. The last picture of its items is the one that the first response edits."""

    model_config: ClassVar = ConfigDict(json_schema_extra={"examples": [{"metadata": {"topic": "boats"}}]})

    items: Annotated[list[Item], Field(max_length=MOST_ITEMS)] = Field(default_factory=list[Item])
    """Items that the conversation begins with. Their words are not kept, because the model reads none."""
    metadata: Metadata = Field(default_factory=dict)


class ConversationChange(OpenAIFields):
    """New labels of a conversation."""

    model_config: ClassVar = ConfigDict(json_schema_extra={"examples": [{"metadata": {"topic": "cats"}}]})

    metadata: Metadata


async def begin_conversation(
    request: Request, gateway: Gateway, caller: Caller, key: str | None
) -> ConversationObject:
    """Create the session. Raises Problem."""
    asked = validated(ConversationRequest, await read_object(request))
    found = (last_picture(message_of(item)) for item in reversed(asked.items))
    picture = as_source(next((one for one in found if one is not None), None))
    image = None
    if picture is not None:
        image = await source_of(picture, "items", gateway.settings.gateway.public_url)
    created = await create_session(gateway, caller, SessionRequest(image=image, metadata=asked.metadata), key)
    session_id = parse_id(IdKind.SESSION, created.answer.body["id"])
    async with gateway.database.transaction() as session:
        return await session.run_sync(read_conversation, caller.project_id, session_id)


def read_conversation(session: Session, project_id: UUID, session_id: UUID) -> ConversationObject:
    """The conversation. Raises Problem."""
    return view_conversation(find_session(session, project_id, session_id))


def view_conversation(row: SessionRow) -> ConversationObject:
    """The session in OpenAI's form."""
    return ConversationObject(
        id=format_id(IdKind.CONVERSATION, row.id),
        created_at=int(row.created_at.timestamp()),
        metadata=row.details,
    )


def change_conversation(
    session: Session, project_id: UUID, session_id: UUID, change: ConversationChange
) -> ConversationObject:
    """Change the labels. Raises Problem."""
    change_session(session, project_id, session_id, SessionChange(metadata=change.metadata))
    return read_conversation(session, project_id, session_id)


def delete_conversation(session: Session, project_id: UUID, session_id: UUID) -> None:
    """Delete the session with all its turns and pictures. Raises Problem."""
    find_session(session, project_id, session_id, lock=True)
    counted = select(func.count()).where(Turn.session_id == session_id, Turn.deleted_at.is_(None))
    delete_session(session, project_id, session_id, session.scalars(counted).one())


def read_items(session: Session, project_id: UUID, session_id: UUID) -> list[dict[str, Any]]:
    """What was said in the conversation, oldest first, without the pictures. Raises Problem."""
    find_session(session, project_id, session_id)
    rows = list_rows(session, project_id, session_id)
    return [item for row in rows for item in items_of(session, row)]


def items_of(session: Session, row: ResponseRow) -> Iterator[dict[str, Any]]:
    """The input and the output of a response."""
    yield from shown_items(row.id, row.input["items"])
    if row.text is not None:
        yield message_item(Answered(row.id, row.request, row.session_id, row.created_at, text=row.text))
        return
    rows = read_job(session, row.project_id, row.id)
    answered = Answered(row.id, row.request, row.session_id, row.created_at, rows=rows)
    yield call_item(answered, "completed" if rows.outputs else "failed", None)
