"""Content credentials of drawn pictures, which they get when they are sent.

The stored file has none, so that equal requests give equal files:
docs/decisions/0021-pictures-are-signed-when-they-are-sent.md.
"""

import asyncio
import logging

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from services.api.process.content_credentials import MEDIA_TYPES, Facts, Parent
from services.api.process.gateway import Gateway
from shared.error_words import words_of
from shared.ids import IdKind, MalformedIdError, format_id, parse_id
from shared.storage import StorageError
from shared.tables import Candidate, Image, ImageOrigin, ImageTokens, Job, JobRequestRow, Project
from shared.tasks import Task

logger = logging.getLogger(__name__)

KEPT_HEADERS = {"cache-control", "content-disposition", "x-content-type-options"}


async def signed(gateway: Gateway, image: Image, answer: Response) -> Response:
    """The answer with credentials in its file, and with a weak entity tag, because signatures differ."""
    file, media_type = bytes(answer.body), str(answer.media_type)
    if not file:
        return answer
    changed = await with_credentials(gateway, image, file, media_type)
    if changed == file:
        return answer
    headers = {name: value for name, value in answer.headers.items() if name in KEPT_HEADERS}
    return Response(
        changed, media_type=media_type, headers={**headers, "ETag": f"W/{answer.headers['etag']}"}
    )


async def with_credentials(gateway: Gateway, image: Image, file: bytes, media_type: str) -> bytes:
    """The file of a picture, or a conversion of it, with content credentials, if it gets any.

    A picture that cannot be signed, such as while the time-stamp authority does not answer, is sent without.
    """
    signer = gateway.credentials
    if signer is None or image.origin != ImageOrigin.GENERATED.value or media_type not in MEDIA_TYPES:
        return file
    async with gateway.database.transaction() as session:
        facts, parent = await session.run_sync(read_facts, image)
    if facts is None:
        return file
    if parent is not None:
        facts = await with_parent_file(gateway, facts, parent)
    # imported late, with the library, because many gateways sign nothing
    from c2pa import C2paError

    try:
        return await asyncio.to_thread(signer.sign, file, media_type, facts)
    except C2paError as error:
        logger.warning("a picture cannot be signed", extra={"reason": words_of(error)})
        return file


def read_facts(session: Session, image: Image) -> tuple[Facts | None, Image | None]:
    """What the picture's credentials say, and its parent if that has to be read; no facts if it gets none."""
    first_grid = (
        select(ImageTokens.sha256)
        .where(ImageTokens.image_id == image.id)
        .order_by(ImageTokens.created_at)
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(Project.content_credentials, Job.task, Job.numerics, JobRequestRow.request, first_grid)
        .select_from(Project)
        .outerjoin(Candidate, Candidate.image_id == image.id)
        .outerjoin(Job, Job.id == Candidate.job_id)
        .outerjoin(JobRequestRow, JobRequestRow.job_id == Job.id)
        .where(Project.id == image.project_id)
    )
    wanted, task, numerics, request, tokens = session.execute(statement).one()
    if not wanted:
        return None, None
    parent = parent_of(session, image, request.get("image")) if task == Task.EDIT and request else None
    facts = Facts(
        identifier=format_id(IdKind.IMAGE, image.id),
        created_at=image.created_at.isoformat(),
        model=request.get("model") if request else None,
        numerics=numerics,
        tokens_sha256=tokens.hex() if tokens else None,
        parent=None if parent is None else Parent(format_id(IdKind.IMAGE, parent.id), parent.media_type),
    )
    uploaded = parent is not None and parent.origin == ImageOrigin.UPLOADED.value and not parent.is_expired
    return facts, parent if uploaded else None


def parent_of(session: Session, image: Image, source: object) -> Image | None:
    """The picture that an edit was made of; None if it is gone."""
    try:
        parent_id = parse_id(IdKind.IMAGE, str(source))
    except MalformedIdError:
        return None
    return session.scalars(
        select(Image).where(Image.id == parent_id, Image.project_id == image.project_id)
    ).first()


async def with_parent_file(gateway: Gateway, facts: Facts, parent: Image) -> Facts:
    """The facts with the file of an uploaded parent, whose own credentials are kept as an ingredient."""
    if facts.parent is None or parent.media_type not in MEDIA_TYPES:
        return facts
    try:
        file = await gateway.storage.get(parent.storage_key)
    except StorageError:
        return facts
    return Facts(
        facts.identifier,
        facts.created_at,
        facts.model,
        facts.numerics,
        facts.tokens_sha256,
        Parent(facts.parent.title, facts.parent.media_type, file),
    )
