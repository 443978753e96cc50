"""The command line. Commands are imported when they are called, so that `luminary --help` is quick."""

import sys
from dataclasses import dataclass
from importlib import import_module

import click


@dataclass(frozen=True)
class LazyCommand:
    """Where a command is defined, and what it does, told without importing it."""

    module: str
    attribute: str
    summary: str

    def load(self) -> click.Command:
        return getattr(import_module(self.module), self.attribute)


COMMANDS = {
    "generate": LazyCommand(
        "luminary.local.generate_command", "command", "Draw pictures with a model folder, without a server."
    ),
    "up": LazyCommand("infra.local.commands", "up", "Start everything and show its logs; Ctrl-C stops it."),
    "down": LazyCommand(
        "infra.local.commands", "down", "Stop what `up` started, in order, and wait until it is gone."
    ),
    "status": LazyCommand("infra.local.commands", "status", "Show the address and every process."),
    "key": LazyCommand("infra.local.commands", "key", "Make a further API key and show it, once."),
    "logs": LazyCommand("infra.local.commands", "logs", "Show the logs of all processes, or of those named."),
}
"""Every command by its name, in the order of the help."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return COMMANDS[cmd_name].load() if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="luminary")
def program() -> None:
    """Luminary draws pictures with Lumina-mGPT 2.0: same seed, same picture."""


def main() -> None:
    """Run the program; what the user did wrong is one line on stderr and exit code 2."""
    try:
        program.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"luminary: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        click.echo(f"luminary: this command needs the package {error.name}, which is not installed", err=True)
        sys.exit(1)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        click.echo("luminary: interrupted", err=True)
        sys.exit(130)
