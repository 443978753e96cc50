"""The first schema

Revision: 0001, after nothing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table('projects',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('webhook_secret', sa.LargeBinary(), nullable=False),
    sa.Column('max_queued_jobs', sa.BigInteger(), nullable=True),
    sa.Column('requests_per_minute', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('max_queued_jobs > 0', name=op.f('ck_projects_max_queued_jobs_positive')),
    sa.CheckConstraint('octet_length(webhook_secret) BETWEEN 24 AND 64', name=op.f('ck_projects_webhook_secret_length')),
    sa.CheckConstraint('requests_per_minute > 0', name=op.f('ck_projects_requests_per_minute_positive')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_projects')),
    sa.UniqueConstraint('name', name=op.f('uq_projects_name'))
    )
    op.create_table('workers',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('queues', postgresql.ARRAY(sa.TEXT()), nullable=False),
    sa.Column('slots', sa.SmallInteger(), nullable=False),
    sa.Column('model', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('tokens_per_second', sa.Double(), nullable=True),
    sa.Column('draining', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('cardinality(queues) > 0', name=op.f('ck_workers_some_queue')),
    sa.CheckConstraint('slots > 0', name=op.f('ck_workers_slots_positive')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_workers'))
    )
    op.create_table('api_keys',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('hint', sa.String(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False),
    sa.Column('scopes', postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'::text[]"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('octet_length(sha256) = 32', name=op.f('ck_api_keys_sha256_length')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_api_keys_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_keys')),
    sa.UniqueConstraint('sha256', name=op.f('uq_api_keys_sha256'))
    )
    op.create_index(op.f('ix_api_keys_project_id'), 'api_keys', ['project_id'], unique=False)
    op.create_table('images',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('origin', sa.String(), nullable=False),
    sa.Column('media_type', sa.String(), nullable=False),
    sa.Column('storage_key', sa.String(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False),
    sa.Column('byte_size', sa.BigInteger(), nullable=False),
    sa.Column('width', sa.BigInteger(), nullable=False),
    sa.Column('height', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("origin IN ('uploaded', 'generated')", name=op.f('ck_images_origin_known')),
    sa.CheckConstraint('octet_length(sha256) = 32', name=op.f('ck_images_sha256_length')),
    sa.CheckConstraint('width > 0 AND height > 0 AND byte_size > 0', name=op.f('ck_images_sizes_positive')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_images_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_images'))
    )
    op.create_index('ix_images_expiring', 'images', ['expires_at'], unique=False, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index(op.f('ix_images_project_id_id'), 'images', ['project_id', 'id'], unique=False)
    op.create_table('jobs',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('available_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('start_by', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finish_by', sa.DateTime(timezone=True), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempt', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('failures', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('interruptions', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('max_failures', sa.SmallInteger(), nullable=False),
    sa.Column('priority', sa.SmallInteger(), nullable=False),
    sa.Column('candidates', sa.SmallInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('revision', sa.SmallInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('tokens_done', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('tokens_total', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('tokens_per_second', sa.Double(), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('queue', sa.String(), nullable=False),
    sa.Column('task', sa.String(), nullable=False),
    sa.Column('phase', sa.String(), nullable=True),
    sa.Column('lease_owner', sa.String(), nullable=True),
    sa.Column('error_code', sa.String(), nullable=True),
    sa.Column('error_message', sa.String(), nullable=True),
    sa.CheckConstraint("(state IN ('canceled', 'expired', 'failed', 'succeeded')) = (finished_at IS NOT NULL)", name=op.f('ck_jobs_finished_when_final')),
    sa.CheckConstraint("(state IN ('expired', 'failed')) = (error_code IS NOT NULL) AND (error_code IS NULL) = (error_message IS NULL)", name=op.f('ck_jobs_error_when_failed')),
    sa.CheckConstraint("attempt > 0 OR state IN ('queued', 'canceled', 'expired')", name=op.f('ck_jobs_attempted_before_work')),
    sa.CheckConstraint("num_nonnulls(lease_owner, lease_expires_at, heartbeat_at) = CASE WHEN state IN ('canceling', 'running') THEN 3 ELSE 0 END", name=op.f('ck_jobs_leased_when_active')),
    sa.CheckConstraint("queue IN ('generate', 'edit', 'dense')", name=op.f('ck_jobs_queue_known')),
    sa.CheckConstraint("state IN ('queued', 'running', 'canceling', 'succeeded', 'failed', 'canceled', 'expired')", name=op.f('ck_jobs_state_known')),
    sa.CheckConstraint('(attempt > 0) = (started_at IS NOT NULL)', name=op.f('ck_jobs_started_with_first_attempt')),
    sa.CheckConstraint('candidates > 0 AND revision > 0', name=op.f('ck_jobs_counts_positive')),
    sa.CheckConstraint('failures >= 0 AND interruptions >= 0 AND failures + interruptions <= attempt', name=op.f('ck_jobs_attempts_add_up')),
    sa.CheckConstraint('max_failures > 0 AND failures <= max_failures', name=op.f('ck_jobs_failures_within_budget')),
    sa.CheckConstraint('tokens_done BETWEEN 0 AND tokens_total', name=op.f('ck_jobs_progress_within_total')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_jobs_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs')),
    postgresql_with={'fillfactor': '75', 'autovacuum_vacuum_scale_factor': '0', 'autovacuum_vacuum_threshold': '200', 'autovacuum_vacuum_cost_delay': '0'}
    )
    op.create_index('ix_jobs_active', 'jobs', ['project_id'], unique=False, postgresql_where=sa.text("state IN ('canceling', 'running')"))
    op.create_index('ix_jobs_claimable', 'jobs', ['queue', 'priority', 'id'], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index(op.f('ix_jobs_project_id_id'), 'jobs', ['project_id', 'id'], unique=False)
    op.create_table('sessions',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('title', sa.String(), nullable=True),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_sessions_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions'))
    )
    op.create_index(op.f('ix_sessions_project_id_id'), 'sessions', ['project_id', 'id'], unique=False)
    op.create_table('candidates',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('image_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.SmallInteger(), nullable=False),
    sa.Column('score', sa.Double(), nullable=True),
    sa.Column('partial', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.CheckConstraint('position >= 0', name=op.f('ck_candidates_position_not_negative')),
    sa.ForeignKeyConstraint(['image_id'], ['images.id'], name=op.f('fk_candidates_image_id')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_candidates_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_candidates')),
    sa.UniqueConstraint('id', 'job_id', name=op.f('uq_candidates_id_job_id')),
    sa.UniqueConstraint('image_id', name=op.f('uq_candidates_image_id')),
    sa.UniqueConstraint('job_id', 'position', name=op.f('uq_candidates_job_id_position'))
    )
    op.create_table('checkpoints',
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('attempt', sa.SmallInteger(), nullable=False),
    sa.Column('state', sa.LargeBinary(), nullable=False),
    sa.Column('saved_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('octet_length(state) BETWEEN 1 AND 4194304', name=op.f('ck_checkpoints_state_size')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_checkpoints_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_checkpoints')),
    postgresql_with={'fillfactor': '50'}
    )
    op.create_table('idempotency_records',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('request_sha256', sa.LargeBinary(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=True),
    sa.Column('response_status', sa.SmallInteger(), nullable=True),
    sa.Column('response_headers', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('response_body', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('num_nulls(response_status, response_headers, response_body) IN (0, 3)', name=op.f('ck_idempotency_records_response_complete')),
    sa.CheckConstraint('octet_length(key) BETWEEN 1 AND 255', name=op.f('ck_idempotency_records_key_length')),
    sa.CheckConstraint('octet_length(request_sha256) = 32', name=op.f('ck_idempotency_records_request_sha256_length')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_idempotency_records_job_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_idempotency_records_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'key', name=op.f('pk_idempotency_records'))
    )
    op.create_index(op.f('ix_idempotency_records_expires_at'), 'idempotency_records', ['expires_at'], unique=False)
    op.create_table('image_tokens',
    sa.Column('image_id', sa.Uuid(), nullable=False),
    sa.Column('tokenizer', sa.String(), nullable=False),
    sa.Column('width', sa.BigInteger(), nullable=False),
    sa.Column('height', sa.BigInteger(), nullable=False),
    sa.Column('grid', sa.LargeBinary(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('octet_length(grid) > 8', name=op.f('ck_image_tokens_grid_not_empty')),
    sa.CheckConstraint('octet_length(sha256) = 32', name=op.f('ck_image_tokens_sha256_length')),
    sa.ForeignKeyConstraint(['image_id'], ['images.id'], name=op.f('fk_image_tokens_image_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('image_id', 'tokenizer', 'width', 'height', name=op.f('pk_image_tokens'))
    )
    op.create_table('job_events',
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('sequence', sa.SmallInteger(), nullable=False),
    sa.Column('attempt', sa.SmallInteger(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('queued', 'started', 'interrupted', 'retrying', 'canceling', 'canceled', 'succeeded', 'failed', 'expired')", name=op.f('ck_job_events_kind_known')),
    sa.CheckConstraint('sequence > 0 AND attempt >= 0', name=op.f('ck_job_events_numbers_not_negative')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_events_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'sequence', name=op.f('pk_job_events'))
    )
    op.create_table('job_requests',
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('request', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_requests_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_job_requests'))
    )
    op.create_table('usage_records',
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('task', sa.String(), nullable=False),
    sa.Column('images', sa.BigInteger(), nullable=False),
    sa.Column('prompt_tokens', sa.BigInteger(), nullable=False),
    sa.Column('image_tokens', sa.BigInteger(), nullable=False),
    sa.Column('compute_seconds', sa.Double(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('images >= 0 AND prompt_tokens >= 0 AND image_tokens >= 0 AND compute_seconds >= 0', name=op.f('ck_usage_records_amounts_not_negative')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_usage_records_job_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_usage_records_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_usage_records'))
    )
    op.create_index(op.f('ix_usage_records_project_id_created_at'), 'usage_records', ['project_id', 'created_at'], unique=False)
    op.create_table('webhook_endpoints',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.String(), nullable=True),
    sa.Column('url', sa.String(), nullable=False),
    sa.Column('event_types', postgresql.ARRAY(sa.TEXT()), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('previous_secret', sa.LargeBinary(), nullable=True),
    sa.Column('previous_secret_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('disabled_reason', sa.String(), nullable=True),
    sa.CheckConstraint('(disabled_at IS NULL) = (disabled_reason IS NULL)', name=op.f('ck_webhook_endpoints_reason_when_disabled')),
    sa.CheckConstraint('(previous_secret IS NULL) = (previous_secret_expires_at IS NULL)', name=op.f('ck_webhook_endpoints_rotation_complete')),
    sa.CheckConstraint('cardinality(event_types) > 0', name=op.f('ck_webhook_endpoints_some_event')),
    sa.CheckConstraint('octet_length(previous_secret) BETWEEN 24 AND 64', name=op.f('ck_webhook_endpoints_previous_secret_length')),
    sa.CheckConstraint('octet_length(secret) BETWEEN 24 AND 64', name=op.f('ck_webhook_endpoints_secret_length')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_webhook_endpoints_job_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_webhook_endpoints_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_endpoints')),
    sa.UniqueConstraint('job_id', name=op.f('uq_webhook_endpoints_job_id'))
    )
    op.create_index(op.f('ix_webhook_endpoints_project_id'), 'webhook_endpoints', ['project_id'], unique=False)
    op.create_table('deliveries',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('endpoint_id', sa.Uuid(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('sequence', sa.SmallInteger(), nullable=False),
    sa.Column('event_type', sa.String(), nullable=False),
    sa.Column('state', sa.String(), server_default='pending', nullable=False),
    sa.Column('tries', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('last_status', sa.SmallInteger(), nullable=True),
    sa.Column('last_error', sa.String(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name=op.f('ck_deliveries_finished_when_final')),
    sa.CheckConstraint("state IN ('pending', 'delivered', 'exhausted', 'abandoned')", name=op.f('ck_deliveries_state_known')),
    sa.CheckConstraint('tries >= 0', name=op.f('ck_deliveries_tries_not_negative')),
    sa.ForeignKeyConstraint(['endpoint_id'], ['webhook_endpoints.id'], name=op.f('fk_deliveries_endpoint_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['job_id', 'sequence'], ['job_events.job_id', 'job_events.sequence'], name=op.f('fk_deliveries_job_id_sequence'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deliveries')),
    sa.UniqueConstraint('job_id', 'sequence', 'endpoint_id', name=op.f('uq_deliveries_job_id_sequence_endpoint_id'))
    )
    op.create_index('ix_deliveries_due', 'deliveries', ['next_try_at'], unique=False, postgresql_where=sa.text("state = 'pending'"))
    op.create_index(op.f('ix_deliveries_endpoint_id_id'), 'deliveries', ['endpoint_id', 'id'], unique=False)
    op.create_table('turns',
    sa.Column('id', sa.Uuid(), server_default=sa.text('uuidv7()'), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('parent_candidate_id', sa.Uuid(), nullable=True),
    sa.Column('parent_job_id', sa.Uuid(), nullable=True),
    sa.Column('source_image_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('(parent_candidate_id IS NULL) = (parent_job_id IS NULL)', name=op.f('ck_turns_parent_complete')),
    sa.CheckConstraint('num_nonnulls(parent_candidate_id, source_image_id) <= 1', name=op.f('ck_turns_one_origin')),
    sa.CheckConstraint('number > 0', name=op.f('ck_turns_number_positive')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_turns_job_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['parent_candidate_id', 'parent_job_id'], ['candidates.id', 'candidates.job_id'], name=op.f('fk_turns_parent_candidate_id_parent_job_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['session_id', 'parent_job_id'], ['turns.session_id', 'turns.job_id'], name=op.f('fk_turns_session_id_parent_job_id')),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_turns_session_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['source_image_id'], ['images.id'], name=op.f('fk_turns_source_image_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_turns')),
    sa.UniqueConstraint('job_id', name=op.f('uq_turns_job_id')),
    sa.UniqueConstraint('session_id', 'job_id', name=op.f('uq_turns_session_id_job_id')),
    sa.UniqueConstraint('session_id', 'number', name=op.f('uq_turns_session_id_number'))
    )
    op.create_index(op.f('ix_turns_parent_candidate_id'), 'turns', ['parent_candidate_id'], unique=False)


def downgrade() -> None:
    """Take the schema back."""
    op.drop_index(op.f('ix_turns_parent_candidate_id'), table_name='turns')
    op.drop_table('turns')
    op.drop_index(op.f('ix_deliveries_endpoint_id_id'), table_name='deliveries')
    op.drop_index('ix_deliveries_due', table_name='deliveries', postgresql_where=sa.text("state = 'pending'"))
    op.drop_table('deliveries')
    op.drop_index(op.f('ix_webhook_endpoints_project_id'), table_name='webhook_endpoints')
    op.drop_table('webhook_endpoints')
    op.drop_index(op.f('ix_usage_records_project_id_created_at'), table_name='usage_records')
    op.drop_table('usage_records')
    op.drop_table('job_requests')
    op.drop_table('job_events')
    op.drop_table('image_tokens')
    op.drop_index(op.f('ix_idempotency_records_expires_at'), table_name='idempotency_records')
    op.drop_table('idempotency_records')
    op.drop_table('checkpoints')
    op.drop_table('candidates')
    op.drop_index(op.f('ix_sessions_project_id_id'), table_name='sessions')
    op.drop_table('sessions')
    op.drop_index(op.f('ix_jobs_project_id_id'), table_name='jobs')
    op.drop_index('ix_jobs_claimable', table_name='jobs', postgresql_where=sa.text("state = 'queued'"))
    op.drop_index('ix_jobs_active', table_name='jobs', postgresql_where=sa.text("state IN ('canceling', 'running')"))
    op.drop_table('jobs')
    op.drop_index(op.f('ix_images_project_id_id'), table_name='images')
    op.drop_index('ix_images_expiring', table_name='images', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('images')
    op.drop_index(op.f('ix_api_keys_project_id'), table_name='api_keys')
    op.drop_table('api_keys')
    op.drop_table('workers')
    op.drop_table('projects')
