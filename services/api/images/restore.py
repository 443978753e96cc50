"""Restore an expired picture from its codes: queue the restore, which an io worker does."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.images.repository import find_row, state_of
from services.api.images.schemas import ImageState
from services.api.problems.codes import Problem, ProblemCode
from shared.job_store.restore import request_restore
from shared.settings import RetentionSettings
from shared.tables import Image


def restore_picture(
    session: Session, project_id: UUID, image_id: UUID, retention: RetentionSettings
) -> tuple[Image, ImageState]:
    """Queue the restore of a picture whose file is gone, unless it is queued already. Raises Problem."""
    image = find_row(session, project_id, image_id)
    state = state_of(session, image, retention)
    if not image.is_expired or state.restoring:
        return image, state
    if not state.restorable:
        raise Problem(
            ProblemCode.IMAGE_NOT_RESTORABLE,
            "The file of this image was deleted, and it cannot be decoded from its tokens again.",
            param="image_id",
        )
    request_restore(session, image)
    return image, state_of(session, image, retention)
