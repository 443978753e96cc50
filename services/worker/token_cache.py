"""Pictures as token grids: from the database where they are known, else from their bytes."""

import base64
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.worker.engine.tasks import PictureSize
from services.worker.engine.vocabulary import GRID_PIXELS
from services.worker.failures import failure
from services.worker.tokenizer_client import TokenizerClient
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_errors import JobErrorCode
from shared.storage import ObjectStorage
from shared.tables import Image, ImageTokens
from shared.token_grid import TokenGrid


@dataclass(frozen=True)
class GivenPicture:
    """A job's picture: its grid of codes, and the size in pixels that the grid stands for."""

    size: PictureSize
    grid: TokenGrid


class PictureSource:
    """Where a job's pictures come from. Calls raise what database, storage and tokenizer raise."""

    def __init__(self, database: Database, storage: ObjectStorage, tokenizer: TokenizerClient) -> None:
        self._database = database
        self._storage = storage
        self._tokenizer = tokenizer

    def codes(
        self, project_id: UUID, source: str, size: PictureSize | None, target: PictureSize
    ) -> GivenPicture:
        """The codes of a picture.

        source: an image id, or a data URL. size: of the panel that the picture is fitted to; None takes the
        size at which the platform drew it, else the best size of about the target's area.
        Raises JobFailureError for a picture that the project does not have.
        """
        if source.startswith("data:"):
            return self._encode(decode_data_url(source), size, target)
        image = self._find(project_id, source)
        name, cell = self._tokenizer.model.tokenizer, self._tokenizer.model.cell
        with self._database.transaction() as session:
            known = find_tokens(session, image.id, name, size)
        if known is not None:
            return GivenPicture(PictureSize(known.width * cell, known.height * cell), known)
        given = self._encode(self._storage.get(image.storage_key), size, target)
        with self._database.transaction() as session:
            remember_tokens(session, image.id, name, given)
        return given

    def white_cells(self, project_id: UUID, source: str, size: PictureSize) -> tuple[bool, ...]:
        """Per cell, row by row, whether a mask has white in it."""
        if source.startswith("data:"):
            data = decode_data_url(source)
        else:
            data = self._storage.get(self._find(project_id, source).storage_key)
        return self._tokenizer.white_cells(data, str(size))

    def _encode(self, data: bytes, size: PictureSize | None, target: PictureSize) -> GivenPicture:
        if size is not None:
            return GivenPicture(size, self._tokenizer.encode(data, size=str(size)))
        grid = self._tokenizer.encode(data, fit=side_of_square(target))
        cell = self._tokenizer.model.cell
        return GivenPicture(PictureSize(grid.width * cell, grid.height * cell), grid)

    def _find(self, project_id: UUID, source: str) -> Image:
        """The project's picture. The gateway stores what a URL names before it queues the job."""
        if source.startswith(("http://", "https://")):
            raise failure(
                JobErrorCode.IMAGE_UNAVAILABLE, f"{source} was not stored before the job was queued."
            )
        with self._database.transaction() as session:
            image = session.get(Image, parse_id(IdKind.IMAGE, source))
        if image is None or image.project_id != project_id or image.deleted_at is not None:
            raise failure(JobErrorCode.IMAGE_UNAVAILABLE, f"There is no picture {source}.")
        return image


def find_tokens(
    session: Session, image_id: UUID, tokenizer: str, size: PictureSize | None
) -> TokenGrid | None:
    """The stored grid at this size; without a size, the largest whose sides fall on the model's grid."""
    statement = select(ImageTokens.grid).where(
        ImageTokens.image_id == image_id, ImageTokens.tokenizer == tokenizer
    )
    if size is not None:
        statement = statement.where(ImageTokens.width == size.width, ImageTokens.height == size.height)
    else:
        statement = statement.where(
            ImageTokens.width % GRID_PIXELS == 0, ImageTokens.height % GRID_PIXELS == 0
        )
    largest = (ImageTokens.width * ImageTokens.height).desc()
    grid = session.scalar(statement.order_by(largest, ImageTokens.width).limit(1))
    return None if grid is None else TokenGrid.from_bytes(grid)


def remember_tokens(session: Session, image_id: UUID, tokenizer: str, given: GivenPicture) -> None:
    """Keep a grid for the next time; whoever was first stays."""
    statement = insert(ImageTokens).values(
        image_id=image_id,
        tokenizer=tokenizer,
        width=given.size.width,
        height=given.size.height,
        grid=given.grid.to_bytes(),
        sha256=bytes.fromhex(given.grid.sha256()),
    )
    session.execute(statement.on_conflict_do_nothing())


def side_of_square(size: PictureSize) -> int:
    """Side of the largest square on the model's grid that has no more pixels than `size`."""
    side = int((size.width * size.height) ** 0.5)
    return max(GRID_PIXELS, side - side % GRID_PIXELS)


def decode_data_url(source: str) -> bytes:
    """The bytes of a base64 data URL. Raises JobFailureError."""
    try:
        return base64.b64decode(source.partition(",")[2], validate=True)
    except ValueError as error:
        raise failure(JobErrorCode.IMAGE_UNREADABLE, f"The data URL is no base64: {error}") from error
