"""`luminary projects retention`: how long each project's pictures, events and saved codes are kept."""

from pathlib import Path

import click

from infra.local.options import found_folder, platform_database


class RetentionType(click.ParamType[int | None]):
    """A number with s, m, h or d, `never` for no end, or `default` for the platform's retention."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Seconds, -1 for `never`, None for `default`."""
        from infra.local.retention import parse_retention

        try:
            return parse_retention(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group("projects")
def projects() -> None:
    """Show and set how long projects keep pictures, events and saved codes."""


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
    from infra.local.retention import NoSuchProjectError, retentions, set_retention

    given = click.core.ParameterSource.COMMANDLINE
    options = ("uploads", "results", "previews", "events", "checkpoints")
    wanted = {name: ctx.params[name] for name in options if ctx.get_parameter_source(name) is given}
    if wanted and project is None:
        raise click.UsageError("name the project whose retention is to be set")
    url = platform_database(folder)
    try:
        if project is not None and wanted:
            set_retention(url, project, wanted)
        rows = retentions(url, project)
    except NoSuchProjectError as error:
        raise click.UsageError(str(error)) from error
    table = [("PROJECT", *(name.upper() for name in options)), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
