"""Addresses of pictures with a signature, for clients that fetch them without a key.

The keys stand in the database, so all gateways share them and nothing has to be configured. A key signs for
KEY_SECONDS and verifies as long as an address that it has signed is valid; then it is deleted.
"""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query
from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind, MalformedIdError, format_id, parse_id
from shared.job_store.clock import database_time, time_after
from shared.links import picture_link
from shared.schemas.jobs import OutputFormat
from shared.storage import EXTENSIONS
from shared.tables import LinkKey

LINK_SECONDS = 3600
"""An address is valid for so long, as OpenAI's are."""
KEY_SECONDS = 30 * 86_400.0
SIGNED = "signature"
"""Query parameter with the signature."""


@dataclass(frozen=True)
class LinkedPicture:
    """What an address shows: a picture of a project, perhaps converted."""

    project_id: UUID
    image_id: UUID
    file_format: OutputFormat | None = None
    quality: int | None = None

    def query(self) -> dict[str, str]:
        """What the address says besides the picture's id."""
        wanted: dict[str, Any] = {
            "project": format_id(IdKind.PROJECT, self.project_id),
            "format": self.file_format,
            "quality": self.quality,
        }
        return {name: str(value) for name, value in wanted.items() if value is not None}

    def message(self, expires: int) -> bytes:
        """What is signed."""
        image = format_id(IdKind.IMAGE, self.image_id)
        return f"{image}?{urlencode({**self.query(), 'expires': expires})}".encode()


def sign_link(session: Session, public_url: str, picture: LinkedPicture) -> str:
    """An address of the picture that is valid for LINK_SECONDS."""
    key = current_key(session)
    now: float = session.scalars(select(func.extract("epoch", database_time()))).one()
    expires = int(now) + LINK_SECONDS
    signature = signature_of(key, picture.message(expires))
    query = {**picture.query(), "expires": expires, "key": key.id.hex, SIGNED: signature}
    extension = EXTENSIONS[f"image/{picture.file_format or OutputFormat.PNG}"]
    return picture_link(public_url, picture.image_id, extension, query)


def current_key(session: Session) -> LinkKey:
    """The key that signs now; a new one if the last one is old."""
    recent = select(LinkKey).where(LinkKey.created_at > time_after(-KEY_SECONDS))
    found = session.scalars(recent.order_by(LinkKey.id.desc()).limit(1)).first()
    if found is not None:
        return found
    session.execute(delete(LinkKey).where(LinkKey.created_at < time_after(-KEY_SECONDS - LINK_SECONDS)))
    return session.scalars(insert(LinkKey).values(secret=secrets.token_bytes(32)).returning(LinkKey)).one()


def signature_of(key: LinkKey, message: bytes) -> str:
    """HMAC-SHA256 of a message, in hexadecimal."""
    return hmac.new(key.secret, message, sha256).hexdigest()


@dataclass(frozen=True)
class Signature:
    """The part of an address that proves it."""

    project: Annotated[str | None, Query(max_length=64, description="The project of the picture.")] = None
    expires: Annotated[int | None, Query(ge=0, lt=2**40, description="Unix time of its end.")] = None
    key: Annotated[str | None, Query(max_length=64, description="The key that signed the address.")] = None
    signature: Annotated[str | None, Query(max_length=128, description="The signature.")] = None


def signed_project(
    session: Session, given: Signature, image_id: UUID, file_format: OutputFormat | None, quality: int | None
) -> UUID:
    """The project whose picture the address shows. Raises Problem if it is forged or no longer valid."""
    try:
        project_id = parse_id(IdKind.PROJECT, given.project or "")
        key_id = UUID(hex=given.key or "")
    except (MalformedIdError, ValueError) as error:
        raise invalid_link() from error
    expires = given.expires or 0
    is_valid = literal(expires) > func.extract("epoch", database_time())
    key = session.scalars(select(LinkKey).where(LinkKey.id == key_id, is_valid)).first()
    picture = LinkedPicture(project_id, image_id, file_format, quality)
    expected = "" if key is None else signature_of(key, picture.message(expires))
    if not hmac.compare_digest(expected.encode(), (given.signature or "-").encode()):
        raise invalid_link()
    return project_id


def invalid_link() -> Problem:
    """Problem of an address that is not valid (any more)."""
    return Problem(
        ProblemCode.UNAUTHENTICATED,
        "The signature of this address is not valid any more; send the project's API key instead.",
        param=SIGNED,
        headers={"WWW-Authenticate": "Bearer"},
    )
