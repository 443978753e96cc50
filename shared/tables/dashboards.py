"""The views in the schema `dashboards`: what dashboards may read, for the role `luminary_reader`.

They have the columns that say nothing of what is drawn, and hold no secret.
"""

from collections.abc import Mapping

from sqlalchemy import DDL, event

from shared.tables.base import Base

DASHBOARD_VIEWS: Mapping[str, str] = {
    "projects": "id, name",
    "jobs": "id, project_id, state, task, queue, phase, priority, candidates, attempt, failures,"
    " interruptions, tokens_done, tokens_total, tokens_per_second, eta_seconds, model, numerics, error_code,"
    " traceparent, created_at, available_at, started_at, finished_at, heartbeat_at",
    "job_events": "job_id, project_id, sequence, attempt, kind, data, created_at",
    "candidates": "id, job_id, image_id, position, score, partial",
    "images": "id, project_id, origin, media_type, width, height, byte_size, created_at, expires_at,"
    " deleted_at",
    "usage_records": "job_id, project_id, task, images, prompt_tokens, tokens_done, compute_seconds,"
    " created_at",
    "webhook_endpoints": "id, project_id",
    "deliveries": "id, endpoint_id, job_id, sequence, event_type, state, tries, failures, last_status,"
    " last_error, created_at, next_try_at, finished_at",
    "delivery_tries": "delivery_id, number, sent_at, seconds, status, error",
}
"""The columns of each view, which has the name of its table."""

event.listen(Base.metadata, "after_create", DDL("CREATE SCHEMA dashboards"))
for view, columns in DASHBOARD_VIEWS.items():
    create = DDL(f"CREATE VIEW dashboards.{view} AS SELECT {columns} FROM public.{view}")  # noqa: S608  (constants)
    event.listen(Base.metadata, "after_create", create)
event.listen(Base.metadata, "before_drop", DDL("DROP SCHEMA IF EXISTS dashboards CASCADE"))
