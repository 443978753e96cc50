"""Responses to requests that may take long: the result, or the work's state after `Prefer: wait=N` seconds.

    202 {"id": "decode-…", "state": "running", "queued_seconds": 0.0, "running_seconds": 12.5}

The client then polls `GET /v1/undertakings/{id}`. Without the header the response waits for the result.
"""

import asyncio
import re
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response

from services.tokenizer.ongoing import Ongoing, Undertaking
from services.tokenizer.wire import TOKENIZER_HEADER, grid_response
from shared.token_grid import TokenGrid

ACCEPTED = 202
CODE_BYTES = 2
LONGEST_WAIT_SECONDS = 60
WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)

Made = bytes | TokenGrid
"""A PNG file, or codes."""


def bytes_of(made: Made) -> int:
    """Approximate memory of a result in bytes."""
    return len(made) if isinstance(made, bytes) else CODE_BYTES * len(made.tokens)


def get_work(request: Request) -> Ongoing[Made]:
    """All work of this process."""
    return request.app.state.work


def get_preferred_wait(
    prefer: Annotated[
        str | None, Header(description="`wait=N`: answer 202 if there is no result after N seconds.")
    ] = None,
) -> float | None:
    """Seconds to wait before answering 202; None waits for the result. Source: RFC 7240, 4.3."""
    for preference in (prefer or "").split(","):
        match = WAIT.fullmatch(preference.split(";")[0].strip())
        if match is not None:
            return float(min(int(match[1]), LONGEST_WAIT_SECONDS))
    return None


Work = Annotated[Ongoing[Made], Depends(get_work)]
PreferredWait = Annotated[float | None, Depends(get_preferred_wait)]


async def answer_when_done(
    request: Request, work: Ongoing[Made], one: Undertaking[Made], wait: float | None, tokenizer: str
) -> Response:
    """The response with the result, or 202. Raises the exception of failed work."""
    client_left = asyncio.ensure_future(disconnected(request))
    try:
        if not await work.wait(one, wait, client_left):
            return not_yet(one)
    finally:
        client_left.cancel()
    made = work.result(one)
    if isinstance(made, TokenGrid):
        return grid_response(request, made, tokenizer)
    return Response(made, media_type="image/png", headers={TOKENIZER_HEADER: tokenizer})


def not_yet(one: Undertaking[Made]) -> Response:
    """202 with the state of the work and its URL."""
    body = {
        "id": one.id,
        "state": one.state,
        "queued_seconds": round(one.queued_seconds, 3),
        "running_seconds": round(one.running_seconds, 3),
    }
    return JSONResponse(body, ACCEPTED, headers={"Location": f"/v1/undertakings/{one.id}"})


async def disconnected(request: Request) -> None:
    """Return when the client has closed the connection. The request's body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
