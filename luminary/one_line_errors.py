"""Programs that report errors in one line on stderr: exit status 2 for a wrong call, 1 for a failure."""

import sys
from typing import Any, ClassVar, NoReturn

import click

from shared.errors import LuminaryError

INTERRUPTED = 130
"""128 plus the number of SIGINT, as in shells."""


class OneLineErrors(click.Command):
    """Mixin for click classes; put it first.

    failures: exceptions that are reported by their message, without a traceback.
    """

    failures: ClassVar[tuple[type[Exception], ...]] = (LuminaryError,)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except self.failures as error:
            raise click.ClickException(one_line(error)) from error

    def main(self, *args: Any, standalone_mode: bool = True, **named: Any) -> Any:
        """Run the program and exit; the statuses are those in the module's docstring."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **named)
        name = str(named.get("prog_name") or self.name).removeprefix("python -m ")
        try:
            status = super().main(*args, standalone_mode=False, **named)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            leave(name, " ".join(error.format_message().split()), error.exit_code)
        except ModuleNotFoundError as error:
            leave(name, f"this command needs the package {error.name}, which is not installed", 1)
        except MemoryError:
            leave(name, "this machine does not have enough memory", 1)
        except click.Abort:
            leave(name, "interrupted", INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)


class Program(OneLineErrors, click.Command):
    """A program with one command."""


class ProgramGroup(OneLineErrors, click.Group):
    """A program with several commands."""


def one_line(error: BaseException) -> str:
    """An exception's message without line breaks; the name of its class if the message is empty."""
    return " ".join(str(error).split()) or type(error).__name__


def leave(name: str, message: str, status: int) -> NoReturn:
    """Print the message to stderr and exit with the status."""
    click.echo(f"{name}: {message}", err=True)
    sys.exit(status)
