"""A conversation becomes a turn of a session, or a short text."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.idempotency import RecordedAnswer
from services.api.jobs.submit import submit
from services.api.openai.chat.background import Background, background_of
from services.api.openai.chat.conversation import read_wish
from services.api.openai.chat.requests import ChatRequest
from services.api.openai.chat.texts import text_for
from services.api.openai.images.requests import PictureFields
from services.api.openai.turns.drawing import drawing_of
from services.api.openai.turns.post import order_drawing
from services.api.openai.turns.sources import find_beginning
from services.api.openai.wire.fields import validated
from services.api.openai.wire.json_body import read_object
from services.api.openai.wire.model_names import ChosenModel, choose_model
from services.api.openai.wire.retries import body_digest, retry_key
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id, parse_id
from shared.links import OPENAI_PATH
from shared.tables import Turn

PATH = f"{OPENAI_PATH}/chat/completions"


@dataclass(frozen=True)
class Accepted:
    """A request that was accepted, without its messages: they need not stay in memory while a job runs."""

    model: str
    stream: bool
    include_usage: bool
    markdown: bool
    job_id: UUID | None = None
    session_id: UUID | None = None
    text: str | None = None
    """The answer of a request that draws nothing."""
    function: str | None = None
    """Name of the function whose arguments `text` is."""


async def accept_completion(request: Request, gateway: Gateway, caller: Caller, key: str | None) -> Accepted:
    """Read the request, and queue its turn unless it gets a short text. Raises Problem."""
    body = await read_object(request)
    asked = validated(ChatRequest, body)
    model = await choose_model(gateway, asked.model)
    background = background_of(asked)
    if background is not None:
        return text_accepted(asked, model, background)
    digest = body_digest(PATH, body)
    key = await retry_key(gateway, caller, request, digest, key)
    wish = read_wish(asked.messages)
    start = await find_beginning(gateway, caller, wish.picture, wish.param)
    given = {} if start.image is None else {"image": start.image}
    drawing = drawing_of(picture_fields(asked, wish.prompt), model, **given)
    order = await order_drawing(
        gateway, caller, drawing, start, fingerprint=lambda: digest, answer=turn_answer
    )
    first = await submit(gateway, caller, order, key)
    session_id = parse_id(IdKind.SESSION, first.answer.body["session_id"])
    return accepted(asked, model, first.answer.job_id, session_id)


def turn_answer(session: Session, turn: Turn) -> RecordedAnswer:
    """What is recorded for a client that repeats its request: the turn."""
    del session
    body = {"session_id": format_id(IdKind.SESSION, turn.session_id)}
    return RecordedAnswer(200, {}, body, turn.job_id)


def accepted(
    asked: ChatRequest, model: ChosenModel, job_id: UUID | None, session_id: UUID | None
) -> Accepted:
    """A request whose job is queued."""
    return Accepted(
        model=asked.model or model.name or "luminary",
        stream=asked.stream,
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        markdown=asked.markdown_images,
        job_id=job_id,
        session_id=session_id,
    )


def text_accepted(asked: ChatRequest, model: ChosenModel, background: Background) -> Accepted:
    """A request that gets a short text, or a call of a function."""
    plain = accepted(asked, model, None, None)
    text, function = text_for(background, asked), background.function or None
    return Accepted(plain.model, plain.stream, plain.include_usage, False, text=text, function=function)


def picture_fields(asked: ChatRequest, prompt: str) -> PictureFields:
    """The wishes about the picture. Raises Problem.

    The request's `temperature` is meant for texts, and is ignored.
    """
    fields: dict[str, Any] = {"seed": asked.seed, **asked.image_config, "prompt": prompt, "n": asked.n}
    seed = fields["seed"]
    if isinstance(seed, int) and seed < 0:
        fields["seed"] = None  # many programs send -1 for a random one
    return validated(PictureFields, fields)
