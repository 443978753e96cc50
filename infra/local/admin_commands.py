"""`luminary admin key`: an API key straight from the database, for the operator of the machine."""

from pathlib import Path

import click

from infra.local.options import found_folder, platform_database

SCOPES = ("read", "write", "webhooks", "admin")


@click.group("admin")
def admin() -> None:
    """Create an administrator's API key in the database, without another key."""


@admin.command("key")
@found_folder
@click.option(
    "--project", default="default", show_default=True, help="Project of the key; created if missing."
)
@click.option("--name", default="administrator", show_default=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=["admin"],
    show_default=True,
    help="What the key may do; repeatable.",
)
def key_command(folder: Path, project: str, name: str, scopes: tuple[str, ...]) -> None:
    """Create a key and show it; it cannot be shown again.

    It needs the database (DATABASE_URL, or the platform on this machine). `luminary keys` and `luminary
    projects` take the key from LUMINARY_ADMIN_KEY.
    """
    from infra.local.installation import another_api_key
    from services.api.auth.scopes import Scope

    url = platform_database(folder)
    click.echo(another_api_key(url, project, name, [Scope(scope) for scope in scopes]))
