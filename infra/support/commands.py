"""`luminary doctor`: check an installation, and collect facts for support."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from infra.local.options import found_folder
from shared.errors import LuminaryError


@click.command("doctor")
@found_folder
@click.option(
    "--bundle",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write facts and the ends of all logs to this zip file, without secrets, prompts and keys.",
)
def doctor(folder: Path, file: Path | None) -> None:
    """Check machine, processes, database and bucket; the exit status is 0 when all is well."""
    from infra.backup.places import installation_of
    from infra.support.bundle import DatabasePart, write_bundle
    from infra.support.checks import Finding, check_machine, check_processes, check_servers

    if file is not None and file.exists():
        raise click.UsageError(f"{file} exists already")
    findings = [*check_machine(folder), *check_processes(folder)]
    database = DatabasePart()
    with ExitStack() as servers:
        try:
            installation = servers.enter_context(installation_of(folder, at_rest=False))
            findings += check_servers(installation)
            with installation.transaction() as connection:
                database.read(connection)
        except LuminaryError as error:
            findings.append(Finding("servers", is_well=False, words=str(error)))
    for finding in findings:
        click.echo(f"{'ok     ' if finding.is_well else 'PROBLEM'}  {finding.subject:<12} {finding.words}")
    if file is not None:
        names = write_bundle(file, folder, findings, database)
        click.echo(f"{file}: {', '.join(names)}; look through it before you send it")
    if not all(finding.is_well for finding in findings):
        sys.exit(1)
