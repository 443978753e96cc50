"""`luminary keys list | create | revoke`: the API keys of the platform."""

from pathlib import Path

import click

from infra.local.options import found_folder, platform_database


@click.group("keys")
def keys() -> None:
    """List, create and revoke API keys."""


@keys.command("list")
@found_folder
def list_command(folder: Path) -> None:
    """Show every key by its first characters; the database has no more of it than a hash."""
    from infra.local.installation import api_keys

    rows = [("KEY", "PROJECT", "NAME", "CREATED", "LAST USED", "STATE")]
    rows += [
        (key.hint, key.project, key.name, key.created, key.last_used, key.state)
        for key in api_keys(platform_database(folder))
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


@keys.command("create")
@found_folder
@click.option(
    "--project",
    default="default",
    show_default=True,
    help="Project of the key; created if it does not exist.",
)
@click.option("--name", default="another key", show_default=True, help="What the key is for.")
def create_command(folder: Path, project: str, name: str) -> None:
    """Create a key and show it; it cannot be shown again."""
    from infra.local.installation import another_api_key

    click.echo(another_api_key(platform_database(folder), project, name))


@keys.command("revoke")
@found_folder
@click.argument("key")
def revoke_command(folder: Path, key: str) -> None:
    """Revoke KEY, given in full or by its first characters as `list` shows them."""
    from infra.local.installation import KeyNotFoundError, revoke_api_key

    try:
        click.echo(f"revoked {revoke_api_key(platform_database(folder), key)}")
    except KeyNotFoundError as error:
        raise click.UsageError(str(error)) from error
