"""The view `queue_work`: how many jobs each queue has, for whatever decides how many workers run.

A role of its own, `luminary_scaler`, may read this view and nothing else (`migrations/roles.py`).
"""

from sqlalchemy import DDL, BigInteger, String, column, event, table

from shared.tables.base import Base

QUEUE_WORK = table(
    "queue_work",
    column("queue", String),
    column("model", String),
    column("waiting", BigInteger),
    column("running", BigInteger),
    column("work", BigInteger),
)
"""One row for each queue and requested model (null for any) with open jobs; no row without any.

waiting: jobs that a free slot could start now. running: jobs that occupy a slot, also while they are
canceled. work: both together, because a scaler that counts waiting jobs alone stops busy workers.
"""
CREATE = """
CREATE VIEW queue_work AS
SELECT queue, model,
    count(*) FILTER (WHERE state = 'queued') AS waiting,
    count(*) FILTER (WHERE state <> 'queued') AS running,
    count(*) AS work
FROM jobs
WHERE state IN ('canceling', 'running')
    OR (state = 'queued' AND blocked_by IS NULL AND available_at <= now())
GROUP BY queue, model
"""

event.listen(Base.metadata, "after_create", DDL(CREATE))
event.listen(Base.metadata, "before_drop", DDL("DROP VIEW IF EXISTS queue_work"))
