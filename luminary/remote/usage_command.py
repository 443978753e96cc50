"""`luminary usage`: what the jobs of all projects or of one took, over HTTP."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import click

from infra.local.options import found_folder
from luminary.remote.administration import Administration, show_table
from luminary.remote.platform import Json

FIELDS = {"day": "day", "project": "project_id", "api_key": "api_key_id", "task": "task", "model": "model"}
"""The field of a row that has the value of a group."""
AMOUNTS = ("jobs", "images", "prompt_tokens", "tokens_done")
SECONDS = "compute_seconds"
UNKNOWN = "-"


@click.command("usage")
@found_folder
@click.option("--project", help="Only this project.")
@click.option("--from", "start", help="First day (UTC), or a time. [default: 30 days before --to]")
@click.option("--to", "end", help="Day (UTC) or time before which the range ends. [default: now]")
@click.option("--by", "groups", multiple=True, help=f"Any of {', '.join(FIELDS)}; repeatable. [default: day]")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
def command(
    folder: Path,
    *,
    project: str | None,
    start: str | None,
    end: str | None,
    groups: tuple[str, ...],
    form: str | None,
) -> None:
    """Show what jobs took, by day, project, API key, task and model.

    A job counts on the day (UTC) on which it ended; a dash stands for what was not recorded yet. LUMINARY_URL
    and LUMINARY_ADMIN_KEY name another platform and an administrator's key.
    """
    platform = Administration.of(folder)
    query = [("group_by", group) for group in groups]
    query += [(name, value) for name, value in (("from", start), ("to", end)) if value is not None]
    if project is not None:
        query.append(("project_id", platform.project(project)["id"]))
    if form == "csv":
        click.echo(platform.text(f"usage?{urlencode([*query, ('format', form)])}"), nl=False)
        return
    report = platform.call("GET", f"usage?{urlencode(query)}")
    if form == "json":
        click.echo(json.dumps(report, indent=4))
    else:
        show_table(table_of(report, names_in(report["group_by"], platform)))


def names_in(groups: Sequence[str], platform: Administration) -> dict[str, str]:
    """Names of projects and keys by id, as far as the groups show any."""
    names: dict[str, str] = {}
    if "project" in groups:
        names |= {project["id"]: project["name"] for project in platform.all("projects")}
    if "api_key" in groups:
        names |= {key["id"]: f"{key['hint']} {key['name']}" for key in platform.all("api_keys")}
    return names


def table_of(report: Json, names: Mapping[str, str]) -> list[tuple[str, ...]]:
    """A heading, the rows, and their sums. names: of projects and keys by id; others are shown as ids."""
    groups: list[str] = report["group_by"]
    rows: list[Json] = report["data"]
    heading = [group.upper().replace("_", " ") for group in groups]
    table = [(*heading, *(name.upper().replace("_", " ") for name in (*AMOUNTS, SECONDS)))]
    for row in rows:
        values = [row[FIELDS[group]] for group in groups]
        shown = [UNKNOWN if value is None else names.get(value, value) for value in values]
        table.append((*shown, *(str(row[name]) for name in AMOUNTS), f"{row[SECONDS]:.1f}"))
    total = ["total", *("" for _ in groups[1:])]
    sums = [str(sum(row[name] for row in rows)) for name in AMOUNTS]
    return [*table, (*total, *sums, f"{sum(row[SECONDS] for row in rows):.1f}")]
