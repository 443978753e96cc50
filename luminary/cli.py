"""The command line. A command's module is imported only when it runs, so that `luminary --help` is quick."""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from luminary.one_line_errors import ProgramGroup


@dataclass(frozen=True)
class LazyCommand:
    """The import path of a command and its summary, so that the help can list it without an import."""

    module: str
    attribute: str
    summary: str

    extra: str = ""
    """The extra of this package that the command needs, if the bare package does not suffice."""

    def load(self) -> click.Command:
        return getattr(import_module(self.module), self.attribute)


COMMANDS = {
    "generate": LazyCommand(
        "luminary.local.generate_command",
        "command",
        "Draw pictures with a model folder, without a server.",
        extra="generate",
    ),
    "up": LazyCommand(
        "infra.local.commands",
        "up",
        "Start all servers and services and show the services' logs; Ctrl-C stops them.",
        extra="local",
    ),
    "down": LazyCommand(
        "infra.local.commands",
        "down",
        "Stop everything that `up` started, and wait until all processes have ended.",
    ),
    "status": LazyCommand(
        "infra.local.commands",
        "status",
        "Show the address and the state of every process; the exit status is 0 when all of them run.",
    ),
    "top": LazyCommand(
        "luminary.remote.top_command",
        "command",
        "Watch the running platform: queues, workers, speed, refusals, webhooks.",
    ),
    "draw": LazyCommand(
        "luminary.remote.draw_command",
        "command",
        "Draw with the running platform, save and open the picture.",
    ),
    "verify": LazyCommand(
        "luminary.remote.verify_command",
        "command",
        "Ask the running platform whether it drew a picture; the exit status is 0 if it did.",
    ),
    "mcp": LazyCommand(
        "luminary.remote.mcp_command",
        "command",
        "Offer the platform's tools to a desktop agent, over standard input and output.",
        extra="mcp",
    ),
    "keys": LazyCommand("luminary.remote.key_commands", "keys", "List, create, rotate and revoke API keys."),
    "projects": LazyCommand(
        "luminary.remote.project_commands",
        "projects",
        "List, create and change projects: limits, weights, retention.",
    ),
    "usage": LazyCommand(
        "luminary.remote.usage_command",
        "command",
        "Show what jobs took, by day, project, API key, task and model.",
    ),
    "admin": LazyCommand(
        "infra.local.admin_commands",
        "admin",
        "Create an administrator's API key in the database, without another key.",
        extra="local",
    ),
    "logs": LazyCommand(
        "infra.local.commands", "logs", "Show the logs of all processes, or only of the NAMES given."
    ),
    "psql": LazyCommand(
        "infra.local.psql_command",
        "psql",
        "Open the platform's database in psql; all other arguments are passed to psql.",
        extra="local",
    ),
    "backup": LazyCommand(
        "infra.backup.commands",
        "backup",
        "Write the database and all pictures to FILE, while the platform runs or not.",
        extra="local",
    ),
    "restore": LazyCommand(
        "infra.backup.commands",
        "restore",
        "Restore the database and all pictures from FILE, into the platform of --data or DATABASE_URL.",
        extra="local",
    ),
    "doctor": LazyCommand(
        "infra.support.commands",
        "doctor",
        "Check machine, processes, database and bucket; the exit status is 0 when all is well.",
        extra="local",
    ),
}
"""All commands by name, in the order of the help."""
EXTRA = f"{__name__}.extra"
"""Key of the context under which the running command's extra is kept."""


class LazyGroup(ProgramGroup):
    """A command group that imports a command only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        ctx.meta[EXTRA] = COMMANDS[cmd_name].extra
        return COMMANDS[cmd_name].load()

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if not ctx.meta.get(EXTRA):
                raise
            raise click.ClickException(
                f"this command needs the package {error.name}, which is not installed: "
                f"pip install 'luminary[{ctx.meta[EXTRA]}]'"
            ) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"there is no command '{args[0]}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="luminary")
def program() -> None:
    """Luminary draws pictures with Lumina-mGPT 2.0: same seed, same picture."""


def main() -> None:
    """Run the program; a wrong call prints one line to stderr and exits with status 2."""
    program.main(prog_name="luminary")
