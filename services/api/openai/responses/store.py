"""The row of a response, and what of the request a response shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from services.api.jobs.idempotency import RecordedAnswer
from services.api.openai.responses.context import Context
from services.api.openai.responses.items import LONGEST_ADDRESS, kept_items
from services.api.openai.responses.requests import ResponseRequest
from services.api.openai.responses.text import storable
from shared.ids import IdKind, format_id, parse_id
from shared.tables import JobRequestRow, ResponseRow, Turn

ECHOED = (
    *("instructions", "max_output_tokens", "parallel_tool_calls", "temperature", "text", "tool_choice"),
    *("top_p", "truncation", "user"),
)
"""Fields that mean nothing here; clients find them in the response as they sent them."""
OK = 200


@dataclass(frozen=True)
class NewResponse:
    """A response that is about to be stored."""

    project_id: UUID
    asked: ResponseRequest
    shown: Mapping[str, Any]
    context: Context

    def answer(self, session: Session, turn: Turn) -> RecordedAnswer:
        """Insert the row of a turn's response, and return what a repeated request is answered with."""
        if self.asked.store:
            given = session.get_one(JobRequestRow, turn.job_id).request.get("image")
            image = given if given and given.startswith(f"{IdKind.IMAGE.value}_") else None
            self.insert(session, image, id=turn.job_id, job_id=turn.job_id, session_id=turn.session_id)
        return RecordedAnswer(OK, {}, {"session_id": format_id(IdKind.SESSION, turn.session_id)}, turn.job_id)

    def insert(self, session: Session, image: str | None, **values: Any) -> ResponseRow:
        """Insert the row. image: the id of the picture that the response starts from."""
        statement = insert(ResponseRow).values(
            project_id=self.project_id,
            previous_id=self.context.previous_id,
            request=dict(self.shown),
            input={"items": kept_items(self.asked.items, image)},
            **values,
        )
        return session.scalars(statement.returning(ResponseRow)).one()


def shown_fields(body: Mapping[str, Any], asked: ResponseRequest, model: str) -> dict[str, Any]:
    """The fields of the request that its response shows; pictures of masks are left out."""
    echoed = {name: body[name] for name in ECHOED if body.get(name) is not None}
    return storable(
        {
            **echoed,
            "model": model,
            "background": asked.background,
            "store": asked.store,
            "metadata": asked.metadata or {},
            "previous_response_id": asked.previous_response_id,
            "tools": [without_picture(tool) for tool in asked.tools],
        }
    )


def without_picture(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool without a mask in base64."""
    mask = tool.get("input_image_mask")
    address = mask.get("image_url") if isinstance(mask, Mapping) else None
    if isinstance(address, str) and len(address) > LONGEST_ADDRESS:
        return {name: value for name, value in tool.items() if name != "input_image_mask"}
    return dict(tool)


def session_in(answer: RecordedAnswer) -> UUID:
    """The session that a recorded answer names."""
    return parse_id(IdKind.SESSION, answer.body["session_id"])
