"""`luminary backup FILE` and `luminary restore FILE`."""

from pathlib import Path

import click

from infra.local.options import found_folder

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command("backup")
@found_folder
@file_argument
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    help="Encrypt for this public key of age (age1...) or SSH; can be repeated.",
)
def backup(folder: Path, file: Path, recipients: tuple[str, ...]) -> None:
    """Write the database and all pictures to FILE, while the platform runs or not.

    FILE is plain without --recipient: it has prompts, pictures and the secrets of webhooks.
    """
    from infra.backup.encryption import parse_recipient
    from infra.backup.make import make_backup
    from infra.backup.places import installation_of

    keys = [parse_recipient(recipient) for recipient in recipients]
    with installation_of(folder, at_rest=False) as installation:
        content = make_backup(installation, file, keys)
    size = file.stat().st_size / 1e6
    click.echo(f"{file}: {content.rows} rows, {content.pictures} objects, {size:.1f} MB")
    if content.missing:
        click.echo(f"{content.missing} objects were not in the bucket, or damaged; their pictures are lost")


@click.command("restore")
@found_folder
@file_argument
@click.option(
    "--identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the private key, for an encrypted backup.",
)
@click.option("--replace", is_flag=True, help="Delete what the database has.")
@click.option("--check", is_flag=True, help="Only check that FILE is whole and can be decrypted.")
def restore(folder: Path, file: Path, identity: Path | None, *, replace: bool, check: bool) -> None:
    """Restore the database and all pictures from FILE, into the platform of --data or DATABASE_URL.

    All services must be stopped. Projects and API keys are replaced by those of the backup.
    """
    from infra.backup.encryption import read_identities
    from infra.backup.places import installation_of
    from infra.backup.restore import check_backup, restore_backup

    if not file.exists():
        raise click.UsageError(f"there is no file {file}")
    identities = read_identities(identity) if identity else []
    if check:
        header = check_backup(file, identities)
        click.echo(f"{file} is whole: made at {header['made_at']}, schema {header['schema']}")
        return
    with installation_of(folder, at_rest=True) as installation:
        content = restore_backup(installation, file, identities, replace=replace)
    click.echo(f"restored {content.rows} rows and {content.pictures} objects")
    if content.missing:
        click.echo(f"{content.missing} objects are not in the backup; their pictures are marked as lost")
