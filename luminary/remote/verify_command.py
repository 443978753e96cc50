"""`luminary verify`: ask a platform whether it drew a picture, and which layer of provenance says so."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from infra.local.kept_key import read_kept_key
from infra.local.options import found_folder, running
from luminary.remote.platform import Json, Platform

NOT_DRAWN_HERE = 1
"""Exit status if no layer has found the picture."""


@click.command("verify")
@found_folder
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def command(ctx: click.Context, folder: Path, file: Path) -> None:
    """Ask the running platform whether it drew a picture; the exit status is 0 if it did.

    Otherwise it is 1. A line for each layer of provenance says what it has found.

    LUMINARY_URL and LUMINARY_API_KEY name another platform and its key; some platforms need none.
    """
    key = os.environ.get("LUMINARY_API_KEY") or read_kept_key(folder) or ""
    platform = Platform(os.environ.get("LUMINARY_URL") or running(folder).url, key)
    try:
        picture = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
    check = platform.check(picture)
    for line in lines_of(check):
        click.echo(line)
    if not check["drawn_here"]:
        ctx.exit(NOT_DRAWN_HERE)


def lines_of(check: Json) -> Iterator[str]:
    """The result, then a line for each layer."""
    yield (
        "drawn by this platform"
        if check["drawn_here"]
        else "not known to this platform, which proves nothing"
    )
    yield f"content credentials: {credentials_words(check['content_credentials'])}"
    yield f"registry: {registry_words(check['registry'])}"
    yield f"watermark: {watermark_words(check['watermark'])}"


def credentials_words(layer: dict[str, Any]) -> str:
    """Words for the content credentials in the file."""
    if layer["validation"] is None:
        return "none"
    whose = (
        "of this platform" if layer["state"] == "found" else f"of {layer['issuer'] or 'an unknown signer'}"
    )
    return f"{layer['validation']}, {whose}"


def watermark_words(layer: dict[str, Any]) -> str:
    """Words for the result of the search for the installation's noise."""
    if layer["p_value"] is None:
        return str(layer["state"])
    return f"{layer['state'].replace('_', ' ')}: p = {layer['p_value']:.1g} over {layer['cells']} cells"


def registry_words(layer: dict[str, Any]) -> str:
    """Words for the match in the registry."""
    if layer["state"] != "found":
        return str(layer["state"]).replace("_", " ")
    words = {"pixels": "the same pixels", "tokens": "the same tokens"}.get(layer["match"])
    if words is None:
        words = f"{layer['matching_cells']} of {layer['compared_cells']} cells are equal"
    own = f", {layer['image_id']}" if layer["image_id"] else ""
    return f"found: {words}, p = {layer['p_value']:.1g}{own}"
