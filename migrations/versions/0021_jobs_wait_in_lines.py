"""Jobs wait in lines

Revision: 0021, after 0020. Old code may run beside it: the trigger puts the jobs that it queues into their lines,
and the index of its claims stays. Existing waiting jobs are put into lines; meanwhile no job can be read or written.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WAITING = "state = 'queued' AND blocked_by IS NULL"
FIRST_START = f"{WAITING} AND attempt = 0"
WITH_START_BY = "state = 'queued' AND attempt = 0 AND start_by IS NOT NULL"
WITH_FINISH_BY = "state IN ('queued', 'running') AND finish_by IS NOT NULL"
KEY = "project_id, queue, priority, model, wanted_numerics"

JOIN_LINE = """
CREATE FUNCTION jobs_join_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head_so_far uuid;
BEGIN
    -- the lock keeps claims from deleting the line, or moving its head on, before this job is committed
    SELECT line.id, line.head INTO NEW.line, head_so_far FROM waiting_lines line
    WHERE line.project_id = NEW.project_id AND line.queue = NEW.queue AND line.priority = NEW.priority
        AND line.model = coalesce(NEW.model, '') AND line.wanted_numerics = coalesce(NEW.wanted_numerics, '')
    FOR KEY SHARE;
    IF NOT FOUND OR head_so_far > NEW.id THEN
        INSERT INTO waiting_lines AS line (project_id, queue, priority, model, wanted_numerics, head)
        VALUES (
            NEW.project_id, NEW.queue, NEW.priority,
            coalesce(NEW.model, ''), coalesce(NEW.wanted_numerics, ''), NEW.id
        )
        ON CONFLICT (project_id, queue, priority, model, wanted_numerics)
            DO UPDATE SET head = least(line.head, excluded.head)
        RETURNING line.id INTO NEW.line;
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = f"""
CREATE TRIGGER jobs_join_line BEFORE INSERT OR UPDATE OF state, blocked_by ON jobs FOR EACH ROW
WHEN (NEW.state = 'queued' AND NEW.blocked_by IS NULL AND NEW.attempt = 0)
EXECUTE FUNCTION jobs_join_line()
"""
FILL = f"""
INSERT INTO waiting_lines ({KEY}, head)
SELECT project_id, queue, priority, coalesce(model, ''), coalesce(wanted_numerics, ''),
    (array_agg(id ORDER BY id))[1]
FROM jobs WHERE {FIRST_START} GROUP BY 1, 2, 3, 4, 5
"""
ASSIGN = f"""
UPDATE jobs SET line = line.id FROM waiting_lines line
WHERE {FIRST_START} AND line.project_id = jobs.project_id AND line.queue = jobs.queue
    AND line.priority = jobs.priority AND line.model = coalesce(jobs.model, '')
    AND line.wanted_numerics = coalesce(jobs.wanted_numerics, '')
"""
SETTLE_LINE = f"""
CREATE FUNCTION settle_waiting_line(settled bigint, leaving uuid) RETURNS void LANGUAGE plpgsql AS $$
-- Set the head of a line to its oldest job, or delete the line if it is empty. leaving: a job that does not count.
DECLARE
    oldest uuid;
BEGIN
    -- skipped while a job is about to join the line: its head may stay behind for a while
    PERFORM FROM waiting_lines WHERE id = settled FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- a statement of its own, so that it sees all jobs that joined before the lock was taken
    SELECT job.id INTO oldest FROM jobs job
    WHERE job.line = settled AND {FIRST_START} AND job.id IS DISTINCT FROM leaving
    ORDER BY job.id LIMIT 1;
    IF oldest IS NULL THEN
        DELETE FROM waiting_lines WHERE id = settled;
    ELSE
        UPDATE waiting_lines SET head = oldest WHERE id = settled AND head <> oldest;
    END IF;
END $$
"""
LOCK_FAIREST_JOB = f"""
CREATE FUNCTION lock_fairest_job(
    my_queues text[], my_model text, my_numerics text, just_served uuid,
    preference_seconds double precision, wait_seconds double precision
) RETURNS uuid LANGUAGE plpgsql
-- plans are made once, perhaps while the tables are small
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
-- Lock the next job that a worker may start, and return its id; null if there is none. The caller starts the job
-- in the same transaction. For the order see shared.job_store.claim.
DECLARE
    models text[] := CASE WHEN my_model IS NULL THEN ARRAY[''] ELSE ARRAY['', my_model] END;
    identities text[] := CASE WHEN my_numerics IS NULL THEN ARRAY[''] ELSE ARRAY['', my_numerics] END;
    busy uuid[];  -- the project of each running job
    passed uuid[] := '{{}}';  -- jobs that another transaction has locked
    rank smallint := -32768;
    running bigint;
    breadth int;
    lines bigint[];
    edge uuid;  -- lines that were not looked at have no older jobs
    candidate record;
BEGIN
    SELECT coalesce(array_agg(job.project_id), '{{}}') INTO busy
    FROM jobs job WHERE job.state IN ('canceling', 'running');
    IF just_served IS NOT NULL THEN
        busy := busy || just_served;
    END IF;
    LOOP  -- over the priorities
        SELECT min(found.priority) INTO rank FROM (
            (SELECT line.priority FROM waiting_lines line WHERE line.priority > rank ORDER BY 1 LIMIT 1)
            UNION ALL
            (SELECT job.priority FROM jobs job
            WHERE {WAITING} AND attempt > 0 AND job.priority > rank ORDER BY 1 LIMIT 1)
        ) found;
        EXIT WHEN rank IS NULL;
        running := 0;
        WHILE running IS NOT NULL LOOP  -- over the numbers of running jobs of a project
            breadth := 4;
            LOOP  -- over more and more lines
                IF running = 0 THEN
                    SELECT array_agg(first.id), (array_agg(first.head))[breadth] INTO lines, edge
                    FROM (
                        SELECT line.id, line.head
                        FROM unnest(my_queues) AS mine(queue), unnest(models) AS able(model),
                            unnest(identities) AS same(numerics)
                        CROSS JOIN LATERAL (
                            SELECT line.id, line.head FROM waiting_lines line
                            WHERE line.priority = rank AND line.queue = mine.queue AND line.model = able.model
                                AND line.wanted_numerics = same.numerics AND line.project_id NOT IN (SELECT unnest(busy))
                            ORDER BY line.head LIMIT breadth
                        ) line
                        ORDER BY line.head LIMIT breadth
                    ) first;
                ELSE
                    SELECT array_agg(line.id), NULL::uuid INTO lines, edge
                    FROM (
                        SELECT each.project_id FROM unnest(busy) AS each(project_id)
                        GROUP BY each.project_id HAVING count(*) = running
                    ) level
                    JOIN waiting_lines line ON line.project_id = level.project_id
                    WHERE line.priority = rank AND line.queue = ANY (my_queues) AND line.model = ANY (models)
                        AND line.wanted_numerics = ANY (identities);
                END IF;
                FOR candidate IN
                    SELECT line.id AS line, line.project_id, line.head, oldest.id AS job, 0 AS attempt, 0 AS foreign_begun
                    FROM waiting_lines line LEFT JOIN LATERAL (
                        SELECT job.id FROM jobs job
                        WHERE job.line = line.id AND {FIRST_START} AND job.id <> ALL (passed)
                            AND job.available_at <= clock_timestamp()
                            AND (job.start_by IS NULL OR job.start_by > clock_timestamp())
                            AND (job.finish_by IS NULL OR job.finish_by > clock_timestamp())
                        ORDER BY job.id LIMIT 1
                    ) oldest ON true
                    WHERE line.id = ANY (lines)
                    UNION ALL
                    SELECT NULL, job.project_id, NULL, job.id, job.attempt,
                        CASE WHEN coalesce(job.checkpoint_numerics, job.numerics, my_numerics)
                            IS NOT DISTINCT FROM my_numerics THEN 0 ELSE 1 END
                    FROM jobs job
                    WHERE {WAITING} AND attempt > 0 AND job.priority = rank
                        AND running = (SELECT count(*) FROM unnest(busy) AS each(id) WHERE each.id = job.project_id)
                        AND job.id <> ALL (passed)
                        AND job.queue = ANY (my_queues)
                        AND job.available_at <= clock_timestamp()
                        AND (job.model IS NULL OR job.model = my_model)
                        AND (job.finish_by IS NULL OR job.finish_by > clock_timestamp())
                        AND (job.wanted_numerics IS NULL OR job.wanted_numerics = my_numerics)
                        AND (
                            coalesce(job.checkpoint_numerics, job.numerics, my_numerics)
                                IS NOT DISTINCT FROM my_numerics
                            OR job.checkpoint_numerics IS NULL
                                AND job.available_at
                                    <= clock_timestamp() - make_interval(secs => preference_seconds)
                            OR NOT EXISTS (
                                SELECT FROM workers worker
                                WHERE worker.numerics = coalesce(job.checkpoint_numerics, job.numerics)
                                    AND worker.heartbeat_at
                                        > clock_timestamp() - make_interval(secs => wait_seconds)
                                    AND job.queue = ANY (worker.queues)
                            )
                        )
                    ORDER BY foreign_begun, job NULLS FIRST
                LOOP
                    IF candidate.head IS DISTINCT FROM candidate.job AND candidate.line IS NOT NULL THEN
                        PERFORM settle_waiting_line(candidate.line, NULL);
                    END IF;
                    CONTINUE WHEN candidate.job IS NULL
                        OR edge IS NOT NULL AND (candidate.job > edge OR candidate.foreign_begun = 1);
                    PERFORM FROM jobs job
                    WHERE job.id = candidate.job AND job.attempt = candidate.attempt AND {WAITING}
                    FOR UPDATE SKIP LOCKED;
                    IF FOUND THEN
                        IF candidate.line IS NOT NULL THEN
                            PERFORM settle_waiting_line(candidate.line, candidate.job);
                        END IF;
                        RETURN candidate.job;
                    END IF;
                    -- another transaction starts it or changes it now: the project counts as having one more
                    passed := passed || candidate.job;
                    busy := busy || candidate.project_id;
                END LOOP;
                EXIT WHEN edge IS NULL;
                breadth := 4 * breadth;
            END LOOP;
            SELECT min(level.jobs) INTO running FROM (
                SELECT count(*) AS jobs FROM unnest(busy) AS each(project_id) GROUP BY each.project_id
            ) level WHERE level.jobs > running;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "waiting_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("wanted_numerics", sa.String(), nullable=False),
        sa.Column("head", sa.Uuid(), nullable=False),
        sa.CheckConstraint("queue IN ('generate', 'edit', 'dense')", name=op.f("ck_waiting_lines_queue_known")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_waiting_lines_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_lines")),
        sa.UniqueConstraint(
            "project_id",
            "queue",
            "priority",
            "model",
            "wanted_numerics",
            name=op.f("uq_waiting_lines_kind"),
        ),
        postgresql_with={
            "fillfactor": "50",
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "200",
            "autovacuum_vacuum_cost_delay": "0",
        },
    )
    op.create_index(
        "ix_waiting_lines_fair_order",
        "waiting_lines",
        ["priority", "queue", "model", "wanted_numerics", "head"],
    )
    op.add_column("jobs", sa.Column("line", sa.BigInteger(), nullable=True))
    # creating the trigger waits for all writers of jobs, and keeps others out until the commit
    op.execute(JOIN_LINE)
    op.execute(TRIGGER)
    op.execute(FILL)
    op.execute(ASSIGN)
    op.create_index("ix_jobs_line", "jobs", ["line", "id"], postgresql_where=sa.text(FIRST_START))
    op.create_index(
        "ix_jobs_begun", "jobs", ["priority", "id"], postgresql_where=sa.text(f"{WAITING} AND attempt > 0")
    )
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["project_id", "queue", "priority", "id"],
        postgresql_include=["blocked_by"],
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_jobs_start_by", "jobs", ["start_by"], postgresql_where=sa.text(WITH_START_BY))
    op.create_index("ix_jobs_finish_by", "jobs", ["finish_by"], postgresql_where=sa.text(WITH_FINISH_BY))
    op.execute(SETTLE_LINE)
    op.execute(LOCK_FAIREST_JOB)


def downgrade() -> None:
    """Bring the schema back."""
    op.execute(
        "DROP FUNCTION lock_fairest_job(text[], text, text, uuid, double precision, double precision)"
    )
    op.execute("DROP FUNCTION settle_waiting_line(bigint, uuid)")
    op.execute("DROP TRIGGER jobs_join_line ON jobs")
    op.execute("DROP FUNCTION jobs_join_line")
    for name in ("finish_by", "start_by", "waiting", "begun", "line"):
        op.drop_index(f"ix_jobs_{name}", table_name="jobs")
    op.drop_column("jobs", "line")
    op.drop_table("waiting_lines")
