"""The command line. Commands are imported when they are called, so that `luminary --help` is quick."""

import sys
from importlib import import_module

import click

COMMANDS = {
    "generate": ("luminary.local.generate_command", "Draw pictures in this process, without a server."),
}
"""Name of each command: the module that defines it as `command`, and what it does."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        return import_module(module).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in sorted(COMMANDS.items())])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="luminary")
def program() -> None:
    """Luminary draws pictures with Lumina-mGPT 2.0: same seed, same picture."""


def main() -> None:
    """Run the program; what the user did wrong is one line on stderr and exit code 2."""
    try:
        program.main(standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"luminary: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        click.echo("luminary: interrupted", err=True)
        sys.exit(130)
