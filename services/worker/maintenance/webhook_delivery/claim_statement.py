"""The SQL that claims deliveries, a few of each receiver, whatever waits for the others."""

from sqlalchemy import text

CLAIM = text("""
WITH RECURSIVE receivers(receiver) AS (
    -- the receivers with pending deliveries, each by one look into the index
    (SELECT receiver FROM deliveries WHERE state = 'pending' ORDER BY receiver LIMIT 1)
    UNION ALL
    SELECT (
        SELECT later.receiver FROM deliveries later
        WHERE later.state = 'pending' AND later.receiver > receivers.receiver
        ORDER BY later.receiver LIMIT 1
    )
    FROM receivers WHERE receivers.receiver IS NOT NULL
),
candidates AS MATERIALIZED (
    -- receivers with room and a due delivery; projects in turn, the receivers of a project in random order
    SELECT receivers.receiver, split_part(receivers.receiver, :separator, 1) AS project,
        coalesce(known.room, :per_receiver) AS room,
        row_number() OVER (
            PARTITION BY split_part(receivers.receiver, :separator, 1) ORDER BY random()
        ) AS place
    FROM receivers
    LEFT JOIN unnest(CAST(:receivers AS text[]), CAST(:receiver_rooms AS int[])) AS known(receiver, room)
        ON known.receiver = receivers.receiver
    WHERE coalesce(known.room, :per_receiver) > 0 AND EXISTS (
        SELECT FROM deliveries due
        WHERE due.state = 'pending' AND due.receiver = receivers.receiver
            AND due.next_try_at <= clock_timestamp()
    )
    ORDER BY place LIMIT :free
),
due AS MATERIALIZED (
    SELECT oldest.id, candidates.project,
        row_number() OVER (PARTITION BY candidates.project ORDER BY candidates.place) AS place
    FROM candidates CROSS JOIN LATERAL (
        SELECT delivery.id FROM deliveries delivery
        WHERE delivery.state = 'pending' AND delivery.receiver = candidates.receiver
            AND delivery.next_try_at <= clock_timestamp()
        ORDER BY delivery.next_try_at LIMIT candidates.room
        FOR UPDATE SKIP LOCKED
    ) AS oldest
),
chosen AS MATERIALIZED (
    SELECT due.id FROM due
    LEFT JOIN unnest(CAST(:projects AS text[]), CAST(:project_rooms AS int[])) AS known(project, room)
        ON known.project = due.project
    WHERE due.place <= coalesce(known.room, :per_project)
    ORDER BY due.place LIMIT :free
)
UPDATE deliveries SET
    tries = tries + 1,
    lease_owner = :owner,
    next_try_at = clock_timestamp() + make_interval(secs => :lease_seconds)
WHERE id IN (SELECT id FROM chosen)
RETURNING id, created_at, endpoint_id, job_id, sequence, event_type, tries, failures, receiver, body,
    clock_timestamp() AS claimed_at,
    (SELECT traceparent FROM jobs WHERE jobs.id = deliveries.job_id) AS traceparent
""")
"""Parameters: `Room`, the owner and the seconds of the lease."""
