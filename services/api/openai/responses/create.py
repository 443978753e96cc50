"""A request becomes a turn below the picture that it goes on from, or a short text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.submit import Order, submit
from services.api.openai.chat.background import Background, Want, background_of
from services.api.openai.chat.requests import ChatRequest
from services.api.openai.chat.texts import text_for
from services.api.openai.pictures.sources import source_of
from services.api.openai.responses.context import Context, find_context
from services.api.openai.responses.items import wish_of
from services.api.openai.responses.requests import ResponseRequest, message_of
from services.api.openai.responses.store import NewResponse, session_in, shown_fields
from services.api.openai.responses.tool import (
    PARAM,
    Action,
    action_of,
    mask_of,
    model_of,
    picture_fields,
)
from services.api.openai.responses.view import Answered
from services.api.openai.turns.drawing import Drawing, drawing_of
from services.api.openai.turns.post import Fingerprint, order_drawing
from services.api.openai.turns.sources import NOTHING, Start, find_beginning
from services.api.openai.wire.fields import validated
from services.api.openai.wire.json_body import read_object
from services.api.openai.wire.model_names import ChosenModel
from services.api.openai.wire.retries import body_digest, retry_key
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from services.api.sessions.requests import TurnRequest
from services.api.sessions.turns import TurnPlace, order_turn
from shared.job_store.clock import database_time
from shared.links import OPENAI_PATH
from shared.tasks import Task

PATH = f"{OPENAI_PATH}/responses"


@dataclass(frozen=True)
class Accepted:
    """A request that was accepted, without its input: that need not stay in memory while a job runs.

    text: the answer with its row's id and time, if nothing is drawn.
    """

    shown: Mapping[str, Any]
    stream: bool
    partial_images: int = 0
    job_id: UUID | None = None
    session_id: UUID | None = None
    text: Answered | None = None


async def accept_response(request: Request, gateway: Gateway, caller: Caller, key: str | None) -> Accepted:
    """Read the request, and queue its turn unless it gets a short text. Raises Problem."""
    body = await read_object(request)
    asked = validated(ResponseRequest, body)
    if asked.background and not asked.store:
        detail = "background: A response in the background is read later, so it must be stored."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="background")
    async with gateway.database.transaction() as session:
        context = await session.run_sync(find_context, caller.project_id, asked)
    tool = asked.tool
    if tool is None:
        return await answer_in_text(gateway, caller, body, asked, context)
    digest = body_digest(PATH, body)
    key = await retry_key(gateway, caller, request, digest, key)
    chosen = await model_of(gateway, tool, asked.model)
    shown = shown_fields(body, asked, asked.model or chosen.name or "luminary")
    new = NewResponse(caller.project_id, asked, shown, context)
    order = await order_response(gateway, caller, new, chosen, lambda: digest)
    answer = (await submit(gateway, caller, order, key)).answer
    partials = picture_fields(tool, "-").partial_images
    return Accepted(shown, asked.stream, partials, answer.job_id, session_in(answer))


async def order_response(
    gateway: Gateway, caller: Caller, new: NewResponse, chosen: ChosenModel, fingerprint: Fingerprint
) -> Order:
    """The order of a drawn response. Raises Problem."""
    tool, wish, context = new.asked.tool or {}, wish_of(new.asked), new.context
    action = action_of(tool)
    start = NOTHING
    if action is not Action.GENERATE:
        start = await find_beginning(gateway, caller, wish.picture, wish.param)
    edited = None if action is Action.GENERATE else start.image or context.picture
    if action is Action.EDIT and edited is None:
        detail = f"{PARAM}.action: There is no picture to edit, neither in the input nor before it."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=f"{PARAM}.action")
    given = {} if edited is None else {"image": edited}
    mask = mask_of(tool)
    if mask is not None:
        public_url = gateway.settings.gateway.public_url
        given["mask"] = await source_of(mask, f"{PARAM}.input_image_mask", public_url)
    drawing = drawing_of(picture_fields(tool, wish.prompt), chosen, **given)
    if context.session_id is None:
        return await order_drawing(
            gateway, caller, drawing, start, fingerprint=fingerprint, answer=new.answer
        )
    place = TurnPlace(context.session_id)
    turn = turn_request(drawing, start, context)
    return await order_turn(gateway, caller, place, turn, fingerprint=fingerprint, answer=new.answer)


def turn_request(drawing: Drawing, start: Start, context: Context) -> TurnRequest:
    """The turn of a conversation. Raises Problem.

    A picture of the same conversation is the parent; another one takes the place of the parent's picture.
    """
    if drawing.fields.get("task") is Task.TEXT_TO_IMAGE:
        return drawing.request(TurnRequest)
    if start.place is not None and start.place.session_id == context.session_id:
        return drawing.request(TurnRequest, origin=start.place.origin)
    return drawing.request(TurnRequest, origin=context.origin, image=start.image)


async def answer_in_text(
    gateway: Gateway, caller: Caller, body: Mapping[str, Any], asked: ResponseRequest, context: Context
) -> Accepted:
    """Store a short text as the answer of a request without the tool. Raises Problem."""
    text = text_of(asked)
    shown = shown_fields(body, asked, asked.model or "luminary")
    new = NewResponse(caller.project_id, asked, shown, context)

    def write(session: Session) -> Answered:
        if not asked.store:
            now = session.scalars(select(database_time())).one()
            made = session.scalars(select(func.uuidv7())).one()
            return Answered(made, shown, context.session_id, now, text=text)
        row = new.insert(session, None, text=text, job_id=context.job_id, session_id=context.session_id)
        return Answered(row.id, shown, row.session_id, row.created_at, text=text)

    async with gateway.database.transaction() as session:
        answered = await session.run_sync(write)
    return Accepted(shown, asked.stream, text=answered)


def text_of(asked: ResponseRequest) -> str:
    """A title and the like for a chat program that asks for one; otherwise what the model can do."""
    form = (asked.text or {}).get("format")
    chat = validated(
        ChatRequest,
        {
            "messages": [message_of(item) for item in asked.items],
            "response_format": answer_format(form) if isinstance(form, dict) else None,
        },
    )
    return text_for(background_of(chat) or Background(Want.TEXT), chat)


def answer_format(form: Mapping[str, Any]) -> dict[str, Any]:
    """The wanted form of the answer, as chat completions have it."""
    schema = form.get("schema")
    return {"type": form.get("type"), "json_schema": {"schema": schema if isinstance(schema, dict) else None}}
