"""`luminary keys`: list, create, rotate and revoke API keys over HTTP."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from infra.local.options import found_folder
from luminary.remote.administration import Administration, parse_seconds, show_table, shown_time

SCOPES = ("read", "write", "webhooks", "admin")


class TimeType(click.ParamType[int]):
    """A number with s, m, h or d, in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds."""
        try:
            return parse_seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group("keys")
def keys() -> None:
    """List, create, rotate and revoke API keys.

    LUMINARY_URL and LUMINARY_ADMIN_KEY name another platform and an administrator's key.
    """


@keys.command("list")
@found_folder
@click.option("--project", help="Only the keys of this project.")
def list_command(folder: Path, project: str | None) -> None:
    """Show every key by its first characters; the platform has no more of it than a hash."""
    platform = Administration.of(folder)
    names = {found["id"]: found["name"] for found in platform.all("projects")}
    only = {} if project is None else {"project_id": platform.project(project)["id"]}
    rows = [("KEY", "PROJECT", "NAME", "SCOPES", "CREATED", "LAST USED", "STATE", "ID")]
    rows += [
        (
            key["hint"],
            names.get(key["project_id"], key["project_id"]),
            key["name"],
            ",".join(key["scopes"]),
            shown_time(key["created_at"]),
            shown_time(key["last_used_at"]),
            key["status"],
            key["id"],
        )
        for key in platform.all("api_keys", **only)
    ]
    show_table(rows)


@keys.command("create")
@found_folder
@click.option(
    "--project",
    default="default",
    show_default=True,
    help="Project of the key; created if it does not exist.",
)
@click.option("--name", default="another key", show_default=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What the key may do; repeatable. [default: read, write, webhooks]",
)
@click.option(
    "--network", "networks", multiple=True, help="Network to use it from, as 10.0.0.0/8; repeatable."
)
@click.option("--expires", type=TimeType(), help="When it ends: 30d. [default: never]")
def create_command(
    folder: Path,
    *,
    project: str,
    name: str,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    expires: int | None,
) -> None:
    """Create a key and show it; it cannot be shown again."""
    platform = Administration.of(folder)
    found = platform.find_project(project) or platform.call("POST", "projects", {"name": project})
    body: dict[str, Any] = {"name": name, "project_id": found["id"], "allowed_networks": networks}
    if scopes:
        body["scopes"] = scopes
    if expires is not None:
        body["expires_at"] = (datetime.now(UTC) + timedelta(seconds=expires)).isoformat()
    click.echo(platform.call("POST", "api_keys", body)["key"])


@keys.command("rotate")
@found_folder
@click.argument("key")
@click.option("--overlap", type=TimeType(), default="1d", show_default=True, help="How long KEY still works.")
def rotate_command(folder: Path, key: str, overlap: int) -> None:
    """Replace KEY by a new one, which is shown; KEY ends after the overlap."""
    platform = Administration.of(folder)
    path = f"api_keys/{platform.key(key)['id']}/rotate"
    click.echo(platform.call("POST", path, {"overlap_seconds": overlap})["key"])


@keys.command("revoke")
@found_folder
@click.argument("key")
def revoke_command(folder: Path, key: str) -> None:
    """Revoke KEY, given in full, by its id or by its first characters as `list` shows them."""
    platform = Administration.of(folder)
    revoked = platform.call("POST", f"api_keys/{platform.key(key)['id']}/revoke")
    click.echo(f"revoked {revoked['hint']}")
