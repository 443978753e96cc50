"""`luminary draw`: submit a job to the platform on this machine, save its pictures and show them."""

import base64
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from infra.local.kept_key import KEY_FILE, read_kept_key
from infra.local.options import found_folder, running
from luminary.output_files import OutputPlace
from luminary.remote.local_pictures import MEDIA_TYPES
from luminary.remote.platform import Json, Platform
from luminary.remote.screen import show
from shared.jobs import FINAL_STATES, MOST_CANDIDATES, JobState
from shared.seeds import SEED_LIMIT
from shared.tasks import Task

POLL_SECONDS = 0.5
TASK_WORD = click.Choice([task.value for task in Task])
CANDIDATES = click.IntRange(1, MOST_CANDIDATES)
picture_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("draw")
@found_folder
@click.argument("prompt", required=False)
@click.option("--edit", "edited", type=picture_file, help="Change this picture as the prompt describes.")
@click.option("--task", type=TASK_WORD, help="Task. [default: text_to_image; edit with --edit]")
@click.option("--image", type=picture_file, help="The given picture of the other tasks.")
@click.option("--negative-prompt", metavar="TEXT", help="What the picture should not show.")
@click.option("--mask", type=picture_file, help="Mask picture: an edit changes the white areas only.")
@click.option("--control", metavar="MAP", help="Kind of the given map (task control).")
@click.option("--target", metavar="MAP", help="Kind of the map to draw (tasks dense and image_pair).")
@click.option("--size", metavar="WxH", help="Size in pixels. [default: the model's own]")
@click.option(
    "--aspect-ratio", metavar="W:H", help="Such as 3:2: the model's nearest size, instead of --size."
)
@click.option("--seed", type=click.IntRange(0, SEED_LIMIT - 1), help="The same seed gives the same picture.")
@click.option("-n", "--n", "count", type=CANDIDATES, default=1, show_default=True, help="Number of pictures.")
@click.option("--best-of", type=CANDIDATES, metavar="M", help="Draw M pictures and keep the best of them.")
@click.option("--model", help="Name of the model. [default: any running model]")
@click.option(
    "--out",
    default=".",
    show_default=True,
    metavar="PATH",
    help="Folder for the pictures, or a .png file. In a folder the names come from prompt, seed and number.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file given with --out.")
@click.option("--open/--no-open", "opens", default=True, help="Show the picture if there is a screen.")
def command(
    folder: Path, prompt: str | None, *, out: str, overwrite: bool, opens: bool, **options: Any
) -> None:
    """Draw with the running platform, save and open the picture.

    \b
    luminary draw "a red star and a blue ball"
    luminary draw --edit a-red-star-and-a-blue-ball-7-0.png "make the ball green"

    LUMINARY_URL and LUMINARY_API_KEY name another platform and its key.
    """
    place = OutputPlace.parse(out, overwrite=overwrite)
    place.prepare(options["count"])
    request = request_of(prompt, **options)
    platform = Platform(os.environ.get("LUMINARY_URL") or running(folder).url, key_of(folder))
    submitted = platform.submit(request)
    for warning in submitted.get("warnings", ()):
        click.echo(f"warning: {warning['message']}", err=True)
    job = follow(platform, submitted)
    if job["status"] != JobState.SUCCEEDED:
        raise click.ClickException(why(job))
    if job["outputs"] and not any(output.get("changed_cells") != 0 for output in job["outputs"]):
        click.echo("warning: the edit changed nothing", err=True)
    pictures = [platform.picture(output["url"]) for output in job["outputs"]]
    for path in place.write(pictures, prompt or request["task"], job["request"]["seed"]):
        click.echo(str(path))
        if opens:
            show(path)


def request_of(
    prompt: str | None, *, edited: Path | None, task: str | None, count: int, **fields: Any
) -> Json:
    """The body of the API request; the API does most of the validation."""
    if edited is not None:
        if task not in {None, Task.EDIT} or fields["image"] is not None:
            raise click.UsageError("--edit sets the task and the picture: leave --task and --image out")
        task, fields["image"] = Task.EDIT, edited
    if not prompt and task != Task.DENSE:
        raise click.UsageError('say what to draw: luminary draw "a red star and a blue ball"')
    pictures = {name: data_url(fields.pop(name)) for name in ("image", "mask") if fields[name] is not None}
    plain = {name: value for name, value in fields.items() if value is not None}
    request = {"task": task or Task.TEXT_TO_IMAGE, "n": count, **plain, **pictures}
    return {**request, "prompt": prompt} if prompt else request


def data_url(file: Path) -> str:
    """The file as a data URL, for a picture inside a request. Raises UsageError if it cannot be read."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
    kinds = (kind for start, kind in MEDIA_TYPES.items() if content.startswith(start))
    return f"data:image/{next(kinds, 'png')};base64,{base64.b64encode(content).decode()}"


def key_of(folder: Path) -> str:
    """The API key from LUMINARY_API_KEY, otherwise the stored key of the data folder."""
    key = os.environ.get("LUMINARY_API_KEY") or read_kept_key(folder)
    if key is None:
        raise click.ClickException(f"there is no API key in {folder / KEY_FILE}: set LUMINARY_API_KEY")
    return key


def follow(platform: Platform, job: Json) -> Json:
    """Wait until the job has ended and return it; show its progress on a terminal. Ctrl-C cancels it."""
    with click.progressbar(length=1000, label="drawing", show_eta=False, file=sys.stderr) as bar:
        try:
            while job["status"] not in FINAL_STATES:
                progress = job["progress"]
                share = progress["tokens_done"] / (progress["tokens_total"] or 1)
                bar.label = progress["phase"] or job["status"]
                bar.update(int(1000 * share) - bar.pos)
                time.sleep(POLL_SECONDS)
                job = platform.job(job["id"])
        except KeyboardInterrupt:
            platform.cancel(job["id"])
            raise
        bar.label = job["status"]
        bar.update(1000 - bar.pos)
    return job


def why(job: Json) -> str:
    """One line about why the job has no picture."""
    error = job["error"]
    reason = f"{error['message']} {error['hint']}" if error else ""
    return " ".join(f"the job {job['id']} ended with status {job['status']}. {reason}".split())
