"""Facts about an installation, chosen by name: versions, settings, processes, counts of the database."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from infra.local.run_file import read_run
from infra.local.settings_table import SECTIONS
from shared.settings import secret_variables

CPU_FIELDS = ("model name", "flags")
QUESTIONS = {
    "server": "SELECT version() AS version, pg_database_size(current_database()) AS bytes",
    "jobs": "SELECT state, queue, error_code, count(*), max(attempt) AS attempts,"
    " extract(epoch FROM now() - min(created_at))::bigint AS oldest_seconds FROM jobs GROUP BY 1, 2, 3",
    "workers": "SELECT queues, slots, draining, numerics, tokens_per_second, left_at IS NOT NULL AS left,"
    " extract(epoch FROM now() - heartbeat_at)::bigint AS silent_seconds, model ->> 'name' AS model"
    " FROM workers ORDER BY heartbeat_at DESC LIMIT 200",
    "deliveries": "SELECT state, count(*), max(tries) AS tries FROM deliveries GROUP BY 1",
    "pictures": "SELECT origin, count(*), sum(byte_size) AS bytes, count(deleted_at) AS deleted,"
    " count(lost_at) AS lost FROM images GROUP BY 1",
    "tables": "SELECT relname, n_live_tup, n_dead_tup, last_autovacuum,"
    " pg_total_relation_size(relid) AS bytes FROM pg_stat_user_tables ORDER BY bytes DESC",
    "connections": "SELECT state, wait_event_type, count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() GROUP BY 1, 2",
}
"""What the bundle asks the database: counts and sizes; no column that a client has filled."""
PROMPTS = """
SELECT value FROM (
    SELECT unnest(ARRAY[request ->> 'prompt', request ->> 'negative_prompt']) AS value
    FROM job_requests ORDER BY job_id DESC LIMIT 5000
) AS prompts WHERE value IS NOT NULL
"""
"""Recent prompts, to remove them from logs."""


def machine_facts() -> dict[str, Any]:
    """Versions, processor, memory, GPUs and installed packages."""
    processor = [line for line in lines_of("/proc/cpuinfo") if line.startswith(CPU_FIELDS)]
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "processor": dict(line.replace("\t", "").split(": ", 1) for line in processor[:2] if ": " in line),
        "memory": lines_of("/proc/meminfo")[:3],
        "gpus": [
            line for file in Path("/proc/driver/nvidia").rglob("information") for line in lines_of(file)
        ],
        "packages": sorted(f"{found.name} {found.version}" for found in distributions()),
    }


def lines_of(file: str | Path) -> list[str]:
    """The lines of a file of the system; none if it cannot be read."""
    try:
        return Path(file).read_text().splitlines()
    except OSError:
        return []


def settings_facts(environment: Mapping[str, str]) -> dict[str, str]:
    """Each setting of every service that the environment has; a secret is only reported as set."""
    return {
        variable: "(set)" if name in secret_variables(part) else environment[variable]
        for part in SECTIONS.values()
        for name in part.model_fields
        if (variable := f"{part.model_config.get('env_prefix') or ''}{name}".upper()) in environment
    }


def process_facts(folder: Path) -> list[dict[str, Any]]:
    """The processes of `luminary up`."""
    run = read_run(folder)
    return [
        {"name": process.name, "state": process.now(), "restarts": process.restarts}
        for process in (run.processes if run else ())
    ]


def database_facts(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """The answers to QUESTIONS, by their names."""
    return {
        name: [dict(row) for row in connection.execute(text(question)).mappings()]
        for name, question in QUESTIONS.items()
    }


def recent_prompts(connection: Connection) -> set[str]:
    """Prompts that may stand in a log."""
    return set(connection.scalars(text(PROMPTS)))
