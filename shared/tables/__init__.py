"""Every table of the platform, one module a resource; migrations/ builds exactly these."""

from shared.tables.base import Base
from shared.tables.images import Candidate, Image, ImageOrigin, ImageTokens
from shared.tables.jobs import Checkpoint, Job, JobEventRow, JobRequestRow, UsageRecord
from shared.tables.operations import IdempotencyRecord, WorkerRow
from shared.tables.projects import ApiKey, Project
from shared.tables.sessions import SessionRow, Turn
from shared.tables.webhooks import Delivery, DeliveryState, WebhookEndpoint

__all__ = [
    "ApiKey",
    "Base",
    "Candidate",
    "Checkpoint",
    "Delivery",
    "DeliveryState",
    "IdempotencyRecord",
    "Image",
    "ImageOrigin",
    "ImageTokens",
    "Job",
    "JobEventRow",
    "JobRequestRow",
    "Project",
    "SessionRow",
    "Turn",
    "UsageRecord",
    "WebhookEndpoint",
    "WorkerRow",
]
