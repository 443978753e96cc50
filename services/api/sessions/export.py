"""Export a session as a zip file: the tree, its jobs, pictures and codes, and a page that shows them.

    session.json            the session as the API shows it, with all turns
    jobs/job_….json         each turn's job, with its complete request
    pictures/img_….png      each picture, also given ones and masks; a drawn one contains its recipe
    codes/img_….grid        the codes of each picture, as `TokenGrid.to_bytes`
    codes.json              image tokenizer, size and hash of each grid
    index.html              the tree for a browser; needs no server
    manifest.json           what an import needs besides, and the hash of every other file

The file is made while it is sent, one picture at a time. Pictures whose files have expired are left out.
"""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session
from zipstream import ZipStream

from services.api.auth.api_keys import Caller
from services.api.images.repository import file_name
from services.api.process.gateway import Gateway
from services.api.sessions.export_page import session_page
from services.api.sessions.manifest import (
    CODES,
    FORMAT,
    GIVEN,
    MANIFEST,
    PAGE,
    SESSION,
    VERSION,
    Manifest,
    certainty_name,
    describe_grid,
    describe_picture,
    job_name,
    picture_name,
)
from services.api.sessions.repository import MOST_TURNS, read_tree
from services.api.sessions.responses import SessionResponse
from services.api.sessions.view import TreeRows, view_tree
from shared.ids import IdKind, format_id, parse_id
from shared.job_view.view import view_job
from shared.pictures.masks import MaskRecord
from shared.schemas.job_response import JobResponse
from shared.storage import ObjectMissingError
from shared.tables import Image, ImageTokens, SessionRow

MASK = TypeAdapter(MaskRecord)


@dataclass(frozen=True)
class Exported:
    """What is known of a session before its pictures are read."""

    tree: SessionResponse
    jobs: Sequence[JobResponse]
    images: Mapping[str, Image]
    """The root, all candidates and all given pictures and masks, by id."""
    grids: Sequence[ImageTokens]
    masks: Mapping[str, MaskRecord]
    """Masks in cells, by job id."""
    row: SessionRow


def collect(session: Session, project_id: UUID, session_id: UUID, public_url: str) -> Exported:
    """Read the whole session. Raises Problem."""
    pages = [read_tree(session, project_id, session_id)]
    while pages[-1].has_more:
        pages.append(read_tree(session, project_id, session_id, pages[-1].turns[-1].turn.number, MOST_TURNS))
    rows = TreeRows(pages[0].session, [turn for page in pages for turn in page.turns], has_more=False)
    row = rows.session.row
    images = {output.image.id: output.image for turn in rows.turns for output in turn.job.outputs}
    given = {image for turn in rows.turns for image in given_images(turn.job.request)}
    given |= set() if row.root_image_id is None else {row.root_image_id}
    other = select(Image).where(Image.id.in_(given - images.keys()), Image.project_id == project_id)
    images |= {image.id: image for image in session.scalars(other)}
    grids = select(ImageTokens).where(ImageTokens.image_id.in_(images)).order_by(ImageTokens.created_at)
    return Exported(
        view_tree(rows, public_url),
        [view_job(turn.job, public_url) for turn in rows.turns],
        {format_id(IdKind.IMAGE, image.id): image for image in images.values()},
        session.scalars(grids).all(),
        {
            format_id(IdKind.JOB, turn.turn.job_id): MASK.validate_python(turn.job.mask)
            for turn in rows.turns
            if turn.job.mask is not None
        },
        row,
    )


def given_images(request: Mapping[str, Any]) -> Iterable[UUID]:
    """The pictures that a stored request names."""
    for name in GIVEN:
        given = request.get(name)
        if isinstance(given, str) and given.startswith(f"{IdKind.IMAGE.value}_"):
            yield parse_id(IdKind.IMAGE, given)


async def find_exported(gateway: Gateway, caller: Caller, session_id: UUID) -> Exported:
    """Read the session before the answer begins, so that an unknown one is still a problem."""
    async with gateway.reads.transaction() as session:
        return await session.run_sync(
            collect, caller.project_id, session_id, gateway.settings.gateway.public_url
        )


def expected_bytes(exported: Exported) -> int:
    """Bytes of all pictures and codes, for a progress bar; documents and missing pictures are not counted."""
    pictures = sum(image.byte_size for image in exported.images.values() if not image.is_expired)
    return pictures + sum(len(row.grid) + len(row.certainty or b"") for row in exported.grids)


class HashedZip:
    """A zip file that is made while it is sent, with the hash of each file."""

    def __init__(self) -> None:
        self.stream = ZipStream()
        self.hashes: dict[str, str] = {}

    def add(self, data: bytes | str, name: str) -> None:
        """Add a file; `stream` gives its bytes afterwards."""
        content = data.encode() if isinstance(data, str) else data
        self.hashes[name] = sha256(content).hexdigest()
        self.stream.add(content, name)


async def archive(gateway: Gateway, exported: Exported) -> AsyncGenerator[bytes]:
    """The zip file in pieces. Raises StorageError, which breaks the answer off.

    Pictures are stored without compression, because a PNG is compressed already.
    """
    file = HashedZip()
    stored: dict[str, str] = {}
    for image_id, image in exported.images.items():
        if image.is_expired:
            continue
        try:
            data = await gateway.storage.get(image.storage_key)
        except ObjectMissingError:
            continue
        stored[image_id] = picture_name(file_name(image, image.media_type))
        file.add(data, stored[image_id])
        for piece in file.stream.all_files():
            yield piece
    add_documents(file, exported, stored)
    for piece in file.stream.finalize():
        yield piece


def add_documents(file: HashedZip, exported: Exported, stored: Mapping[str, str]) -> None:
    """Add everything but the pictures. stored: paths of those that have a file, by image id."""
    grids = [describe_grid(grid, format_id(IdKind.IMAGE, grid.image_id)) for grid in exported.grids]
    for row, grid in zip(exported.grids, grids, strict=True):
        file.add(row.grid, grid.file)
        if row.certainty is not None:
            file.add(row.certainty, certainty_name(grid.file))
    file.add(exported.tree.model_dump_json(indent=2), SESSION)
    for job in exported.jobs:
        file.add(job.model_dump_json(indent=2), job_name(job.id))
    file.add(json.dumps([grid.model_dump(mode="json") for grid in grids], indent=2), CODES)
    file.add(session_page(exported.tree, stored), PAGE)
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        files=dict(file.hashes),
        pictures=[
            describe_picture(image, image_id, stored.get(image_id))
            for image_id, image in exported.images.items()
        ],
        masks=dict(exported.masks),
        undone=[format_id(IdKind.CANDIDATE, candidate) for candidate in exported.row.undone],
        last_number=exported.row.last_number,
    )
    file.add(manifest.model_dump_json(indent=2), MANIFEST)
