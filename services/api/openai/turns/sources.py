"""The picture that a drawing starts from. One that is stored is not stored or encoded again."""

from dataclasses import dataclass
from uuid import UUID

from services.api.auth.api_keys import Caller
from services.api.images.known import find_known
from services.api.images.repository import find_start
from services.api.images.sources import about_field, read_source
from services.api.openai.pictures.sources import data_url_of, source_of
from services.api.openai.turns.recognise import recognise
from services.api.problems.codes import Problem
from services.api.process.gateway import Gateway
from services.api.sessions.create import resolve_picture
from services.api.sessions.places import Place, find_place
from shared.ids import IdKind, format_id, parse_id
from shared.schemas.fields import scheme_of


@dataclass(frozen=True)
class Start:
    """The picture that a drawing starts from. image: a source of a job's image; place: where it stands."""

    image: str | None = None
    place: Place | None = None


NOTHING = Start()
"""A drawing that starts from words alone."""


async def find_beginning(gateway: Gateway, caller: Caller, given: str | None, param: str) -> Start:
    """The picture that a client has sent or named. Raises Problem that names the field."""
    if given is None:
        return NOTHING
    try:
        source = await source_of(given, param, gateway.settings.gateway.public_url)
        if scheme_of(source) is None:
            return await find_stored(gateway, caller, source)
        data = await read_source(gateway, source)
        known = await find_known(gateway, caller.project_id, data) or await recognise(gateway, caller, data)
        if known is not None:
            return await place_of(gateway, caller, known)
        return Start(source if scheme_of(source) == "data" else await data_url_of(data, param))
    except Problem as problem:
        raise problem if problem.param == param else about_field(param, problem) from problem


async def find_stored(gateway: Gateway, caller: Caller, source: str) -> Start:
    """The picture of an id: of an image, a candidate or an ended job. Raises Problem."""
    async with gateway.database.transaction() as session:
        found = await session.run_sync(resolve_picture, caller.project_id, source)
        image_id = parse_id(IdKind.IMAGE, found or source)
        await session.run_sync(find_start, caller.project_id, image_id)
    return await place_of(gateway, caller, image_id)


async def place_of(gateway: Gateway, caller: Caller, image_id: UUID) -> Start:
    """A stored picture, with its place in a tree if it stands in one."""
    async with gateway.database.transaction() as session:
        place = await session.run_sync(find_place, caller.project_id, image_id)
    return Start(format_id(IdKind.IMAGE, image_id), place)
