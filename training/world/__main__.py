"""The programs of the larger world: `python -m training.world --help`."""

from pathlib import Path

import click

from training.program import SEED, TrainingProgramGroup, check_writable
from training.world.commands import evaluate_command, export, tokenizer, train
from training.world.sheets import examples_sheet, settings_sheet, things_sheet


@click.group(cls=TrainingProgramGroup)
def main() -> None:
    """Look at the larger world, train its model, judge and export it."""


@main.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="PNG file.")
@click.option(
    "--show", type=click.Choice(["things", "settings", "examples"]), default="examples", show_default=True
)
@click.option("--count", type=click.IntRange(min=1), default=4, show_default=True, help="Examples per task.")
@click.option("--seed", type=SEED, default=1, show_default=True)
def sheet(*, out: Path, show: str, count: int, seed: int) -> None:
    """Draw a sheet of true pictures."""
    check_writable(out.parent)
    match show:
        case "things":
            image = things_sheet(seed)
        case "settings":
            image = settings_sheet()
        case _:
            image = examples_sheet(seed, count)
    image.save(out)
    click.echo(str(out))


for command in (tokenizer, train, evaluate_command, export):
    main.add_command(command)

if __name__ == "__main__":
    main()
