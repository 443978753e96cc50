"""Export a session as a zip file: the tree, its jobs, pictures and codes, and a page that shows them.

    session.json            the session as the API shows it, with all turns
    jobs/job_….json         each turn's job, with its complete request
    pictures/img_….png      each picture; its text chunks contain its recipe
    codes/img_….grid        the codes of each picture, as `TokenGrid.to_bytes`
    codes.json              image tokenizer, size and hash of each grid
    index.html              the tree for a browser; needs no server

The file is made while it is sent, one picture at a time. Pictures whose files have expired are left out.
"""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from zipstream import ZipStream

from services.api.auth.api_keys import Caller
from services.api.images.repository import file_name
from services.api.process.gateway import Gateway
from services.api.sessions.export_page import PAGE_NAME, session_page
from services.api.sessions.repository import MOST_TURNS, read_tree
from services.api.sessions.responses import SessionResponse
from services.api.sessions.view import TreeRows, view_tree
from shared.ids import IdKind, format_id
from shared.job_view.view import view_job
from shared.schemas.job_response import JobResponse
from shared.storage import ObjectMissingError
from shared.tables import Image, ImageTokens


@dataclass(frozen=True)
class Exported:
    """What is known of a session before its pictures are read."""

    tree: SessionResponse
    jobs: Sequence[JobResponse]
    images: Sequence[Image]
    """The root and all candidates whose files are stored."""
    grids: Sequence[ImageTokens]


def collect(session: Session, project_id: UUID, session_id: UUID, public_url: str) -> Exported:
    """Read the whole session. Raises Problem."""
    pages = [read_tree(session, project_id, session_id)]
    while pages[-1].has_more:
        pages.append(read_tree(session, project_id, session_id, pages[-1].turns[-1].turn.number, MOST_TURNS))
    rows = TreeRows(pages[0].session, [turn for page in pages for turn in page.turns], has_more=False)
    images = {output.image.id: output.image for turn in rows.turns for output in turn.job.outputs}
    root = rows.session.row.root_image_id
    if root is not None:
        images[root] = session.get_one(Image, root)
    grids = select(ImageTokens).where(ImageTokens.image_id.in_(images)).order_by(ImageTokens.created_at)
    return Exported(
        view_tree(rows, public_url),
        [view_job(turn.job, public_url) for turn in rows.turns],
        [image for image in images.values() if not image.is_expired],
        session.scalars(grids).all(),
    )


async def find_exported(gateway: Gateway, caller: Caller, session_id: UUID) -> Exported:
    """Read the session before the answer begins, so that an unknown one is still a problem."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(
            collect, caller.project_id, session_id, gateway.settings.gateway.public_url
        )


async def archive(gateway: Gateway, exported: Exported) -> AsyncGenerator[bytes]:
    """The zip file in pieces. Raises StorageError, which breaks the answer off.

    Pictures are stored without compression, because a PNG is compressed already.
    """
    stream = ZipStream()
    missing: set[UUID] = set()
    for image in exported.images:
        try:
            data = await gateway.storage.get(image.storage_key)
        except ObjectMissingError:
            missing.add(image.id)
            continue
        stream.add(data, f"pictures/{file_name(image, image.media_type)}")
        for piece in stream.all_files():
            yield piece
    for grid in exported.grids:
        stream.add(grid.grid, grid_name(grid))
    stream.add(exported.tree.model_dump_json(indent=2), "session.json")
    for job in exported.jobs:
        stream.add(job.model_dump_json(indent=2), f"jobs/{job.id}.json")
    stream.add(json.dumps([describe_grid(grid) for grid in exported.grids], indent=2), "codes.json")
    files = {
        format_id(IdKind.IMAGE, image.id): f"pictures/{file_name(image, image.media_type)}"
        for image in exported.images
        if image.id not in missing
    }
    stream.add(session_page(exported.tree, files), PAGE_NAME)
    for piece in stream.finalize():
        yield piece


def grid_name(grid: ImageTokens) -> str:
    """Path of a grid in the zip file; an uploaded picture may have grids of several sizes."""
    return f"codes/{format_id(IdKind.IMAGE, grid.image_id)}-{grid.tokenizer}-{grid.width}x{grid.height}.grid"


def describe_grid(grid: ImageTokens) -> dict[str, str | int]:
    """A grid in `codes.json`."""
    return {
        "image_id": format_id(IdKind.IMAGE, grid.image_id),
        "file": grid_name(grid),
        "tokenizer": grid.tokenizer,
        "width": grid.width,
        "height": grid.height,
        "sha256": grid.sha256.hex(),
    }
