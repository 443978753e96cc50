"""Replace secrets; for a while the old one signs as well, so that receivers can switch."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.webhooks.repository import find_endpoint, read_default_secret, time_of
from services.api.webhooks.schemas import SecretRotation, WebhookEndpointWithSecret, WebhookSecret
from services.api.webhooks.view import view_with_secret
from shared.security import generate_webhook_secret
from shared.tables import Project, WebhookEndpoint


def rotate_secret(
    session: Session, project_id: UUID, endpoint_id: UUID, rotation: SecretRotation
) -> WebhookEndpointWithSecret:
    """Give the endpoint a new secret or key. Raises Problem, also within the overlap of the last rotation."""
    endpoint = find_endpoint(session, project_id, endpoint_id, lock=True)
    if endpoint.job_id is not None:
        raise Problem(
            ProblemCode.NOT_FOUND,
            "Webhooks of jobs are signed with the project's secret; rotate that one.",
            param="endpoint_id",
        )
    now = time_of(session)
    refuse_overlap(endpoint.previous_secret_expires_at, now, rotation)
    endpoint.previous_secret, endpoint.previous_secret_expires_at = previous(endpoint.secret, now, rotation)
    endpoint.secret = generate_webhook_secret()
    return view_with_secret(endpoint, now)


def rotate_default_secret(session: Session, project_id: UUID, rotation: SecretRotation) -> WebhookSecret:
    """Give the project and its jobs' webhooks a new secret. Raises Problem within the last overlap."""
    wanted = select(Project).where(Project.id == project_id).with_for_update(key_share=True)
    project = session.scalars(wanted).one()
    now = time_of(session)
    refuse_overlap(project.previous_webhook_secret_expires_at, now, rotation)
    old, expires_at = previous(project.webhook_secret, now, rotation)
    project.previous_webhook_secret, project.previous_webhook_secret_expires_at = old, expires_at
    project.webhook_secret = generate_webhook_secret()
    session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.project_id == project_id, WebhookEndpoint.job_id.is_not(None))
        .values(secret=project.webhook_secret, previous_secret=old, previous_secret_expires_at=expires_at)
        .execution_options(synchronize_session=False)
    )
    return read_default_secret(session, project_id)


def previous(
    secret: bytes, now: datetime, rotation: SecretRotation
) -> tuple[bytes, datetime] | tuple[None, None]:
    """The secret that signs as well, and until when."""
    if not rotation.overlap_seconds:
        return None, None
    return secret, now + timedelta(seconds=rotation.overlap_seconds)


def refuse_overlap(expires_at: datetime | None, now: datetime, rotation: SecretRotation) -> None:
    """Raise Problem while two secrets sign: a receiver may still have the older one."""
    if expires_at is not None and expires_at > now and not rotation.force:
        raise Problem(
            ProblemCode.ROTATION_OVERLAPS,
            f"The secret was rotated lately, and the old one signs until {expires_at.isoformat()}.",
            param="force",
        )
