"""docs/claim_benchmarks.md, the page of the benchmark of claims."""

from collections.abc import Mapping, Sequence
from typing import Any

CLAIM_COLUMNS = {
    "one_per_second": "claims/s, one thread",
    "one_p50_ms": "p50 ms",
    "one_p99_ms": "p99 ms",
    "threads_per_second": "claims/s, eight threads",
    "processes_per_second": "claims/s, four processes",
    "processes_p50_ms": "p50 ms",
    "processes_p99_ms": "p99 ms",
    "server_ms": "server ms",
    "server_cpu_ms": "server CPU ms",
    "choosing_ms": "choosing ms",
}
OTHER_COLUMNS = {
    "queue_position": "position",
    "list": "list",
    "heartbeat": "heartbeat",
    "deadlines": "deadlines",
    "models": "models",
    "numerics": "numerics",
    "lost_workers": "lost workers",
    "doorbells": "doorbells",
}


def page(results: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    workers = results["workers"]
    return f"""# Claims

`python -m benchmarks.claims` writes this page; change the program, not the page.

A claim is the whole transaction of `claim_next_job`, with its event, on the embedded PostgreSQL, which
commits durably. PostgreSQL and the claiming processes share the machine. The numbers are medians over three
rounds of 200 claims; no job ends during a round, so up to 200 jobs run. `ended` is the number of jobs in the
table that have ended.

Machine: {machine}.

{table(results["rows"], "claims", CLAIM_COLUMNS)}

`server ms` is PostgreSQL's own time for all statements of a claim of one thread (`active_time` of
`pg_stat_database`: the embedded PostgreSQL has no `pg_stat_statements`); it contains the planning, the wait
for the disk at the commit, and waits for a processor. `server CPU ms` is the processor time of its process.
`choosing ms` is the elapsed time of the function that chooses and locks the job (`pg_stat_user_functions`).

{workers["workers"]} slots in four processes, whose jobs take a second on average and then end, claimed
{workers["claims"]} jobs at {workers["per_second"]} claims a second, with the most waiting and ended jobs: p50
{workers["p50_ms"]} ms, p99 {workers["p99_ms"]} ms.

Median milliseconds of other transactions: the position of the youngest waiting job, the first page of its
project's jobs, a heartbeat for 16 jobs, and the searches of the sweeper for jobs past their deadline, jobs
without a worker that has their model or numerics identity, jobs of lost workers, and queues whose doorbells
are to be rung.

{table(results["rows"], "others", OTHER_COLUMNS)}
"""


def table(rows: Sequence[Mapping[str, Any]], part: str, columns: Mapping[str, str]) -> str:
    """A table with a line for each number of waiting and ended jobs."""
    sizes = ("waiting", "projects", "ended")
    headings = [*sizes, *columns.values()]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in rows:
        cells = [f"{row[name]:,}" for name in sizes] + [str(row[part][name]) for name in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
