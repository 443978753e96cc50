"""Projects have a weight and a limit of running jobs

Revision: 0024, after 0023. Old code may run beside it: its claims call the function of six arguments, which stays, and
know neither weights nor limits.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

WAITING = "state = 'queued' AND blocked_by IS NULL"
FIRST_START = f"{WAITING} AND attempt = 0"
SPECIAL = "(project.weight <> 1 OR project.max_running_jobs IS NOT NULL)"
RUNNING_LOCKS = 0x6C756D03
"""First key of the advisory locks; the second is a hash of the project."""

LOCK_FAIREST_JOB = f"""
CREATE FUNCTION lock_fairest_job(
    my_queues text[], my_model text, my_numerics text, just_served uuid, in_a_row int,
    preference_seconds double precision, wait_seconds double precision
) RETURNS uuid LANGUAGE plpgsql
-- plans are made once, perhaps while the tables are small
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
-- Lock the next job that a worker may start, and return its id; null if there is none. The caller starts the job
-- in the same transaction. For the order see shared.job_store.claim. A project's load is the number of its running
-- jobs over its weight.
DECLARE
    models text[] := CASE WHEN my_model IS NULL THEN ARRAY[''] ELSE ARRAY['', my_model] END;
    identities text[] := CASE WHEN my_numerics IS NULL THEN ARRAY[''] ELSE ARRAY['', my_numerics] END;
    busy uuid[];  -- the project of each running job
    passed uuid[] := '{{}}';  -- jobs that another transaction has locked
    rank smallint := -32768;
    special uuid[];  -- projects in `busy` with a weight or a limit of their own
    weights bigint[];
    full_up uuid[];  -- projects that may start no job now
    favoured uuid;  -- the project whose turn at this slot goes on
    yielding uuid;  -- the project whose turn is over: one more in `busy`, which counts almost nothing
    most bigint;
    running bigint;
    load double precision;
    breadth int;
    lines bigint[];
    edge uuid;  -- lines that were not looked at have no older jobs
    candidate record;
BEGIN
    SELECT coalesce(array_agg(job.project_id), '{{}}') INTO busy
    FROM jobs job WHERE job.state IN ('canceling', 'running');
    SELECT coalesce(array_agg(project.id), '{{}}'), coalesce(array_agg(project.weight), '{{}}'),
        coalesce(array_agg(project.id) FILTER (WHERE project.max_running_jobs
            <= (SELECT count(*) FROM unnest(busy) AS each(id) WHERE each.id = project.id)), '{{}}')
        INTO special, weights, full_up
    FROM projects project
    WHERE project.id = ANY (busy || just_served) AND {SPECIAL};
    IF just_served IS NOT NULL THEN
        IF in_a_row % coalesce(weights[array_position(special, just_served)], 1) = 0 THEN
            yielding := just_served;
            busy := busy || yielding;
        ELSIF just_served <> ALL (busy) THEN
            favoured := just_served;
        END IF;
    END IF;
    LOOP  -- over the priorities
        SELECT min(found.priority) INTO rank FROM (
            (SELECT line.priority FROM waiting_lines line WHERE line.priority > rank ORDER BY 1 LIMIT 1)
            UNION ALL
            (SELECT job.priority FROM jobs job
            WHERE {WAITING} AND attempt > 0 AND job.priority > rank ORDER BY 1 LIMIT 1)
        ) found;
        EXIT WHEN rank IS NULL;
        load := CASE WHEN favoured IS NULL THEN 0 ELSE -1 END;
        WHILE load IS NOT NULL LOOP  -- over the loads of projects
            breadth := 4;
            LOOP  -- over more and more lines
                IF load = 0 THEN
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
                        GROUP BY each.project_id
                        HAVING (count(*) - CASE WHEN each.project_id = yielding THEN 0.9999999 ELSE 0 END::float8)
                            / coalesce(weights[array_position(special, each.project_id)], 1) = load
                        UNION ALL
                        SELECT favoured WHERE load < 0
                    ) level
                    JOIN waiting_lines line ON line.project_id = level.project_id
                    WHERE line.priority = rank AND line.queue = ANY (my_queues) AND line.model = ANY (models)
                        AND line.wanted_numerics = ANY (identities) AND level.project_id <> ALL (full_up);
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
                        AND CASE WHEN load < 0 THEN job.project_id = favoured
                            ELSE load = (
                                (SELECT count(*) FROM unnest(busy) AS each(id) WHERE each.id = job.project_id)
                                - CASE WHEN job.project_id = yielding THEN 0.9999999 ELSE 0 END::float8
                            ) / coalesce(weights[array_position(special, job.project_id)], 1) END
                        AND job.project_id <> ALL (full_up)
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
                        OR edge IS NOT NULL AND (candidate.job > edge OR candidate.foreign_begun = 1)
                        OR candidate.project_id = ANY (full_up);
                    SELECT project.max_running_jobs INTO most
                    FROM projects project
                    WHERE project.id = candidate.project_id AND project.max_running_jobs IS NOT NULL;
                    IF most IS NOT NULL THEN
                        -- one claim at a time starts a job of a limited project; the others pass it over
                        IF NOT pg_try_advisory_xact_lock({RUNNING_LOCKS}, hashtext(candidate.project_id::text)) THEN
                            full_up := full_up || candidate.project_id;
                            CONTINUE;
                        END IF;
                        -- a statement of its own, so that it counts all jobs that were started before the lock
                        SELECT count(*) INTO running FROM jobs job
                        WHERE job.project_id = candidate.project_id AND job.state IN ('canceling', 'running');
                        IF running >= most THEN
                            full_up := full_up || candidate.project_id;
                            CONTINUE;
                        END IF;
                    END IF;
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
            IF load < 0 THEN
                load := 0;
                CONTINUE;
            END IF;
            SELECT min(level.reached) INTO load FROM (
                SELECT (count(*) - CASE WHEN each.project_id = yielding THEN 0.9999999 ELSE 0 END::float8)
                    / coalesce(weights[array_position(special, each.project_id)], 1) AS reached
                FROM unnest(busy) AS each(project_id) GROUP BY each.project_id
            ) level WHERE level.reached > load;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("projects", sa.Column("weight", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("projects", sa.Column("max_running_jobs", sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_projects_weight_in_range"), "projects", "weight BETWEEN 1 AND 1000")
    op.create_check_constraint(
        op.f("ck_projects_max_running_jobs_positive"), "projects", "max_running_jobs > 0"
    )
    op.create_index(
        "ix_projects_special",
        "projects",
        ["id"],
        postgresql_where=sa.text("weight <> 1 OR max_running_jobs IS NOT NULL"),
    )
    op.execute(LOCK_FAIREST_JOB)


def downgrade() -> None:
    """Bring the schema back."""
    op.execute(
        "DROP FUNCTION lock_fairest_job(text[], text, text, uuid, int, double precision, double precision)"
    )
    op.drop_index("ix_projects_special", table_name="projects")
    op.drop_constraint(op.f("ck_projects_max_running_jobs_positive"), "projects", type_="check")
    op.drop_constraint(op.f("ck_projects_weight_in_range"), "projects", type_="check")
    op.drop_column("projects", "max_running_jobs")
    op.drop_column("projects", "weight")
