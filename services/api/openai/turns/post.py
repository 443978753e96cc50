"""The order of a drawing: below its picture in the tree, or as the first turn of a new session."""

from collections.abc import Callable

from services.api.auth.api_keys import Caller
from services.api.jobs.submit import Order
from services.api.openai.turns.drawing import Drawing
from services.api.openai.turns.sources import Start
from services.api.process.gateway import Gateway
from services.api.sessions.create import order_session
from services.api.sessions.requests import SessionRequest, TurnRequest
from services.api.sessions.turns import TurnAnswer, TurnPlace, order_turn

Fingerprint = Callable[[], bytes]


async def order_drawing(
    gateway: Gateway,
    caller: Caller,
    drawing: Drawing,
    start: Start,
    *,
    fingerprint: Fingerprint,
    answer: TurnAnswer,
) -> Order:
    """The order of the drawing; nothing is written before it is submitted. Raises Problem.

    A picture that stands in a session gets a new branch there.
    """
    if start.place is None:
        asked = drawing.request(SessionRequest, title=drawing.title, image=start.image)
        return order_session(caller, asked, fingerprint=fingerprint, answer=answer)
    turn = drawing.request(TurnRequest, origin=start.place.origin)
    place = TurnPlace(start.place.session_id)
    return await order_turn(gateway, caller, place, turn, fingerprint=fingerprint, answer=answer)
