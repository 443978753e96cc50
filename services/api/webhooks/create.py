"""Create a webhook endpoint."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.audit.record import record
from services.api.problems.codes import Problem, ProblemCode
from services.api.webhooks.repository import time_of
from services.api.webhooks.schemas import WebhookEndpointCreate, WebhookEndpointWithSecret
from services.api.webhooks.view import view_with_secret
from shared.ids import IdKind, format_id
from shared.security import generate_webhook_secret
from shared.tables import Project, WebhookEndpoint

MOST_ENDPOINTS = 50
"""Endpoints of one project: each of its events is compared with all of them."""


def create_endpoint(
    session: Session, project_id: UUID, wanted: WebhookEndpointCreate
) -> WebhookEndpointWithSecret:
    """Create the endpoint; the response is the only one with its secret. Raises Problem."""
    # one at a time, so that the limit is exact
    session.execute(select(Project.id).where(Project.id == project_id).with_for_update(key_share=True))
    own = (WebhookEndpoint.project_id == project_id, WebhookEndpoint.job_id.is_(None))
    if session.scalars(select(func.count()).select_from(WebhookEndpoint).where(*own)).one() >= MOST_ENDPOINTS:
        raise Problem(
            ProblemCode.TOO_MANY_WEBHOOK_ENDPOINTS,
            f"The project has {MOST_ENDPOINTS} webhook endpoints, which is the limit.",
        )
    endpoint = WebhookEndpoint(
        project_id=project_id,
        name=wanted.name,
        url=str(wanted.url),
        event_types=list(wanted.event_types),
        payload=wanted.payload,
        scheme=wanted.signature,
        secret=generate_webhook_secret(),
    )
    session.add(endpoint)
    session.flush()
    session.refresh(endpoint)
    record(session, "webhook_endpoint.created", format_id(IdKind.WEBHOOK_ENDPOINT, endpoint.id))
    return view_with_secret(endpoint, time_of(session))
