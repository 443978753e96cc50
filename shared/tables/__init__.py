"""Every table of the database, one module for each resource; migrations/ creates exactly these tables."""

from shared.tables.audit import AuditEntry
from shared.tables.base import Base
from shared.tables.dashboards import DASHBOARD_VIEWS
from shared.tables.estimates import JobEstimate
from shared.tables.images import Candidate, Image, ImageOrigin, ImageTokens, PictureRestore
from shared.tables.jobs import Checkpoint, Job, JobEventRow, JobRequestRow, UsageRecord
from shared.tables.lines import WaitingLine
from shared.tables.openai import BatchState, LineState, OpenAIBatch, OpenAIBatchLine, OpenAIFile
from shared.tables.operations import IdempotencyRecord, LinkKey, Search, WorkerRow
from shared.tables.projects import ApiKey, Project
from shared.tables.provenance import PictureFingerprint
from shared.tables.responses import ResponseRow
from shared.tables.sessions import SessionRow, Turn
from shared.tables.undecoded import UndecodedPicture
from shared.tables.webhooks import Delivery, DeliveryState, DeliveryTry, DisabledReason, WebhookEndpoint
from shared.tables.work import QUEUE_WORK

__all__ = [
    "DASHBOARD_VIEWS",
    "QUEUE_WORK",
    "ApiKey",
    "AuditEntry",
    "Base",
    "BatchState",
    "Candidate",
    "Checkpoint",
    "Delivery",
    "DeliveryState",
    "DeliveryTry",
    "DisabledReason",
    "IdempotencyRecord",
    "Image",
    "ImageOrigin",
    "ImageTokens",
    "Job",
    "JobEstimate",
    "JobEventRow",
    "JobRequestRow",
    "LineState",
    "LinkKey",
    "OpenAIBatch",
    "OpenAIBatchLine",
    "OpenAIFile",
    "PictureFingerprint",
    "PictureRestore",
    "Project",
    "ResponseRow",
    "Search",
    "SessionRow",
    "Turn",
    "UndecodedPicture",
    "UsageRecord",
    "WaitingLine",
    "WebhookEndpoint",
    "WorkerRow",
]
