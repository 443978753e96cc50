"""`luminary projects`: list, create and change projects, their limits and their retention, over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from infra.local.options import found_folder
from luminary.remote.administration import (
    DEFAULT,
    Administration,
    parse_retention,
    show_table,
    shown_retention,
)

Command = TypeVar("Command", bound=Callable[..., Any])
KEPT = ("uploads", "results", "previews", "events", "checkpoints")
LIMITS = {
    "max_queued_jobs": "Waiting jobs.",
    "max_running_jobs": "Jobs that run at the same time.",
    "requests_per_minute": "Requests of all keys together.",
    "max_storage_bytes": "Bytes of kept pictures.",
    "pictures_per_day": "Pictures that the jobs of a day (UTC) ask for.",
}


class LimitType(click.ParamType[int | None]):
    """A positive number, or `default` for that of the platform."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The number; None for `default`."""
        if value == DEFAULT:
            return None
        if not str(value).isdecimal():
            self.fail(f"{str(value)!r} is not a number or `default`", param, ctx)
        return int(str(value))


class RetentionType(click.ParamType[int | None]):
    """A number with s, m, h or d, `never` for no end, or `default` for the platform's retention."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Seconds, -1 for `never`, None for `default`."""
        try:
            return parse_retention(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def limit_options(command: Command) -> Command:
    """Options for weight and limits."""
    for name, words in reversed(LIMITS.items()):
        command = click.option(f"--{name.replace('_', '-')}", name, type=LimitType(), help=words)(command)
    weight = click.IntRange(1, 1000)
    return click.option("--weight", type=weight, help="Share of the slots while several projects wait.")(
        command
    )


def given(ctx: click.Context, *names: str) -> dict[str, Any]:
    """The options of these names that the command line has."""
    source = click.core.ParameterSource.COMMANDLINE
    return {name: ctx.params[name] for name in names if ctx.get_parameter_source(name) is source}


@click.group("projects")
def projects() -> None:
    """List, create and change projects: limits, weights, retention.

    LUMINARY_URL and LUMINARY_ADMIN_KEY name another platform and an administrator's key.
    """


@projects.command("list")
@found_folder
def list_command(folder: Path) -> None:
    """Show every project with its limits; a dash stands for that of the platform."""
    rows = [("PROJECT", "STATE", "WEIGHT", *(name.upper().replace("_", " ") for name in LIMITS), "ID")]
    for project in Administration.of(folder).all("projects"):
        limits = ("-" if project[name] is None else str(project[name]) for name in LIMITS)
        rows.append((project["name"], project["status"], str(project["weight"]), *limits, project["id"]))
    show_table(rows)


@projects.command("create")
@found_folder
@click.argument("project")
@limit_options
@click.pass_context
def create_command(ctx: click.Context, folder: Path, project: str, **_: object) -> None:
    """Create PROJECT and show its id."""
    body = {"name": project, **given(ctx, "weight", *LIMITS)}
    click.echo(Administration.of(folder).call("POST", "projects", body)["id"])


@projects.command("change")
@found_folder
@click.argument("project")
@click.option("--name", help="A new name.")
@limit_options
@click.pass_context
def change_command(ctx: click.Context, folder: Path, project: str, **_: object) -> None:
    """Change weight, limits or name of PROJECT; `default` takes a limit back."""
    platform = Administration.of(folder)
    found = platform.project(project)["id"]
    platform.call("PATCH", f"projects/{found}", given(ctx, "name", "weight", *LIMITS))
    click.echo(f"changed {project}")


@projects.command("disable")
@found_folder
@click.argument("project")
def disable_command(folder: Path, project: str) -> None:
    """Refuse all keys of PROJECT from now on; its jobs go on."""
    platform = Administration.of(folder)
    platform.call("POST", f"projects/{platform.project(project)['id']}/disable")
    click.echo(f"disabled {project}")


@projects.command("enable")
@found_folder
@click.argument("project")
def enable_command(folder: Path, project: str) -> None:
    """Accept the keys of PROJECT again."""
    platform = Administration.of(folder)
    platform.call("POST", f"projects/{platform.project(project)['id']}/enable")
    click.echo(f"enabled {project}")


@projects.command("retention")
@found_folder
@click.argument("project", required=False)
@click.option("--uploads", type=RetentionType(), help="Uploaded pictures.")
@click.option("--results", type=RetentionType(), help="Drawn pictures; their tokens are kept.")
@click.option("--previews", type=RetentionType(), help="Thumbnails.")
@click.option("--events", type=RetentionType(), help="Events of ended jobs.")
@click.option("--checkpoints", type=RetentionType(), help="Saved codes of ended jobs.")
@click.pass_context
def retention_command(ctx: click.Context, folder: Path, project: str | None, **_: object) -> None:
    """Show the retention of all projects, or set that of PROJECT: `--results 30d --uploads never`.

    A time is a number with s, m, h or d; `never` keeps without end, `default` follows the settings.
    """
    wanted = {column(name): value for name, value in given(ctx, *KEPT).items()}
    if wanted and project is None:
        raise click.UsageError("name the project whose retention is to be set")
    platform = Administration.of(folder)
    if project is None:
        found = list(platform.all("projects"))
    else:
        found = [platform.project(project)]
        if wanted:
            found = [platform.call("PATCH", f"projects/{found[0]['id']}", wanted)]
    rows = [("PROJECT", *(name.upper() for name in KEPT))]
    rows += [(one["name"], *(shown_retention(one[column(name)]) for name in KEPT)) for one in found]
    show_table(rows)


def column(kept: str) -> str:
    """The field of a project with this retention."""
    return f"retain_{kept}_seconds"
