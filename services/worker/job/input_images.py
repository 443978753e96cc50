"""Get the token grid of a picture: from the database, or by encoding its file."""

import base64
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.worker.composite import Backdrop
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.job.certainty import unpack
from services.worker.job.failures import failure
from services.worker.job.kept_cells import Canvas
from services.worker.model.picture_sizes import TrainedSizes
from services.worker.tokenizer_client import TokenizerClient
from shared.database import Database
from shared.ids import IdKind, format_id, parse_id
from shared.job_errors import JobErrorCode
from shared.pictures.mask_modes import MaskMode
from shared.sizes import GRID_PIXELS
from shared.storage import ObjectMissingError, ObjectStorage
from shared.tables import Image, ImageOrigin, ImageTokens
from shared.token_grid import TokenGrid


@dataclass(frozen=True)
class GivenPicture:
    """A picture that a job edits or follows: its grid of codes, and the size of the grid in pixels."""

    size: PictureSize
    grid: TokenGrid


class PictureSource:
    """Fetches the pictures of jobs. Calls raise the errors of database, storage and tokenizer."""

    def __init__(self, database: Database, storage: ObjectStorage, tokenizer: TokenizerClient) -> None:
        self._database = database
        self._storage = storage
        self._tokenizer = tokenizer

    def codes(
        self, project_id: UUID, source: str, size: PictureSize | None, sizes: TrainedSizes
    ) -> GivenPicture:
        """Return the codes of a picture.

        source: an image id or a data URL. size: size of the panel that the picture is fitted to. None means
        the size at which the platform drew the picture if the model was trained for it, otherwise the best
        of `sizes`. Raises JobFailureError if the project does not have this picture.
        """
        if source.startswith("data:"):
            return self._encode(decode_data_url(source), size or sizes.default_panel)
        image = self._find(project_id, source)
        name = self._tokenizer.model.tokenizer
        known = self._known(image, size, sizes) or self._known(image, best_size(image, size, sizes), sizes)
        if known is not None:
            return known
        given = self._encode(self._file(image), best_size(image, size, sizes))
        with self._database.transaction() as session:
            remember_tokens(session, image.id, name, given)
        return given

    def canvas(self, project_id: UUID, source: str, size: PictureSize | None) -> Canvas:
        """Return the cells of a picture whose cells are kept.

        source: an image id or a data URL. size: size of the result, None for the size at which the picture
        was drawn. An upload is encoded at the size; a drawn picture must have it. Raises JobFailureError.
        """
        if source.startswith("data:"):
            if size is None:
                raise failure(JobErrorCode.INVALID_REQUEST, "only a picture that was drawn can be extended.")
            return Canvas(self._encode(decode_data_url(source), size).grid)
        image = self._find(project_id, source)
        wanted = size or PictureSize(image.width, image.height)
        with self._database.transaction() as session:
            known = find_canvas(session, image.id, self._tokenizer.model.tokenizer, wanted)
        if known is not None:
            return known
        if image.origin == ImageOrigin.GENERATED:
            raise failure(
                JobErrorCode.INVALID_REQUEST,
                f"the cells of {source} at {wanted} are not those of this model: it was drawn at "
                f"{image.width}x{image.height}, or with another image tokenizer.",
            )
        given = self._encode(self._file(image), wanted)
        with self._database.transaction() as session:
            remember_tokens(session, image.id, self._tokenizer.model.tokenizer, given)
        return Canvas(given.grid)

    def backdrop(self, project_id: UUID, source: str, grid: TokenGrid) -> Backdrop:
        """A canvas with its file. source: an image id or a data URL. Raises JobFailureError."""
        if source.startswith("data:"):
            return Backdrop(grid, decode_data_url(source), None)
        image = self._find(project_id, source)
        try:
            return Backdrop(grid, self._storage.get(image.storage_key), image.id)
        except ObjectMissingError:
            return Backdrop(grid, None, image.id)

    def free_cells(
        self, project_id: UUID, source: str, size: PictureSize, mode: MaskMode
    ) -> tuple[bool, ...]:
        """Whether a mask lets a cell change: one entry per cell, row by row."""
        if source.startswith("data:"):
            data = decode_data_url(source)
        else:
            data = self._file(self._find(project_id, source))
        return self._tokenizer.free_cells(data, str(size), mode)

    def _encode(self, data: bytes, size: PictureSize) -> GivenPicture:
        return GivenPicture(size, self._tokenizer.encode(data, size=str(size)))

    def _known(self, image: Image, size: PictureSize | None, sizes: TrainedSizes) -> GivenPicture | None:
        """The stored codes at this size. None means the largest size, if the model was trained for it."""
        with self._database.transaction() as session:
            grid = find_tokens(session, image.id, self._tokenizer.model.tokenizer, size)
        if grid is None:
            return None
        cell = self._tokenizer.model.cell
        drawn = PictureSize(grid.width * cell, grid.height * cell)
        allowed = size is not None or sizes.panels is None or drawn in sizes.panels
        return GivenPicture(drawn, grid) if allowed else None

    def _file(self, image: Image) -> bytes:
        """The picture's file; that of an expired picture is decoded from its drawn codes again.

        Raises JobFailureError if these are not kept.
        """
        if not image.is_expired:
            return self._storage.get(image.storage_key)
        drawn = None
        if image.origin == ImageOrigin.GENERATED:
            drawn = self._known_at(image, PictureSize(image.width, image.height))
        if drawn is None:
            raise failure(
                JobErrorCode.IMAGE_UNAVAILABLE,
                f"The file of {format_id(IdKind.IMAGE, image.id)} has expired, and there are no codes of "
                "this size.",
            )
        return self._tokenizer.decode(drawn)

    def _known_at(self, image: Image, size: PictureSize) -> TokenGrid | None:
        with self._database.transaction() as session:
            return find_tokens(session, image.id, self._tokenizer.model.tokenizer, size)

    def _find(self, project_id: UUID, source: str) -> Image:
        """Find the picture in the project; its file may have expired.

        The gateway stores pictures at URLs before it queues the job.
        """
        if source.startswith(("http://", "https://")):
            raise failure(
                JobErrorCode.IMAGE_UNAVAILABLE,
                f"The picture at {source} was not stored before the job was queued.",
            )
        with self._database.transaction() as session:
            image = session.get(Image, parse_id(IdKind.IMAGE, source))
        if image is None or image.project_id != project_id:
            raise failure(JobErrorCode.IMAGE_UNAVAILABLE, f"The project has no picture {source}.")
        return image


def best_size(image: Image, size: PictureSize | None, sizes: TrainedSizes) -> PictureSize:
    """The requested size, or the best trained size for the picture."""
    return size or sizes.best_panel(image.width, image.height)


def find_tokens(
    session: Session, image_id: UUID, tokenizer: str, size: PictureSize | None
) -> TokenGrid | None:
    """The stored grid at this size; without a size, the largest with sides in multiples of 32 pixels."""
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


def find_canvas(session: Session, image_id: UUID, tokenizer: str, size: PictureSize) -> Canvas | None:
    """The stored grid at this size with its certainty."""
    row = session.get(ImageTokens, (image_id, tokenizer, size.width, size.height))
    if row is None:
        return None
    return Canvas(TokenGrid.from_bytes(row.grid), None if row.certainty is None else unpack(row.certainty))


def remember_tokens(session: Session, image_id: UUID, tokenizer: str, given: GivenPicture) -> None:
    """Store a grid, unless another attempt has stored it already."""
    statement = insert(ImageTokens).values(
        image_id=image_id,
        tokenizer=tokenizer,
        width=given.size.width,
        height=given.size.height,
        grid=given.grid.to_bytes(),
        sha256=bytes.fromhex(given.grid.sha256()),
    )
    session.execute(statement.on_conflict_do_nothing())


def decode_data_url(source: str) -> bytes:
    """The bytes of a base64 data URL. Raises JobFailureError."""
    try:
        return base64.b64decode(source.partition(",")[2], validate=True)
    except ValueError as error:
        raise failure(JobErrorCode.IMAGE_UNREADABLE, f"The data URL is not valid base64: {error}") from error
