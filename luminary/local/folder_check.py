"""Check a model folder and its image tokenizer in about a second, before a load that takes minutes.

`python -m luminary.local.folder_check FOLDER` reports an error in one line; `luminary up` runs it before it
starts anything.
"""

from pathlib import Path

import click

from luminary.one_line_errors import one_line
from services.tokenizer.movqgan import check_movqgan
from services.worker.engine.errors import CheckpointError
from services.worker.engine.loading.model_folder import check_model_folder
from services.worker.model.card import read_known_words
from services.worker.model.picture_sizes import read_trained_sizes
from shared.errors import LuminaryError
from shared.model_folders import IMAGE_TOKENIZER_PLACES, image_tokenizer_of


def find_image_tokenizer(folder: Path) -> Path:
    """The path of the image tokenizer inside a model folder. Raises FileNotFoundError."""
    found = image_tokenizer_of(folder)
    if found is None:
        places = ", ".join(IMAGE_TOKENIZER_PLACES)
        raise FileNotFoundError(f"{folder} has no image tokenizer: none of {places}")
    return found


def check_decoder(folder: Path) -> int:
    """Check a decoder's folder; return the number of its image codes. Raises EngineError."""
    checked = check_model_folder(folder)
    read_trained_sizes(folder)
    read_known_words(folder)
    return checked.vocabulary.image_code_count


def check_both(folder: Path, image_tokenizer: Path) -> None:
    """Check a decoder, an image tokenizer, and that they match. Raises EngineError or MoVQGANError."""
    require_same_codes(check_decoder(folder), check_movqgan(image_tokenizer).n_embed)


def require_same_codes(codes: int, entries: int) -> None:
    """Raise CheckpointError if the decoder's number of codes is not the image tokenizer's."""
    if codes != entries:
        raise CheckpointError(
            f"the image tokenizer has {entries} codes, but the model draws {codes}: "
            "they do not belong together"
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--image-tokenizer", type=click.Path(path_type=Path), help="Image tokenizer outside FOLDER.")
@click.option("--decoder-only", is_flag=True, help="Do not check the image tokenizer.")
def main(*, folder: Path, image_tokenizer: Path | None, decoder_only: bool) -> None:
    """Check a model folder; report an error in one line."""
    try:
        if decoder_only:
            check_decoder(folder)
        else:
            check_both(folder, image_tokenizer or find_image_tokenizer(folder))
    except (LuminaryError, OSError) as error:
        raise click.ClickException(one_line(error)) from error


if __name__ == "__main__":
    main()
