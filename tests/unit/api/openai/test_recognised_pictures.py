"""A stored picture takes the place of a given one only if both look the same everywhere."""

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from services.api.openai.turns.recognise import look_alike
from shared.pictures.work import Panel


def drawn() -> Image.Image:
    """A picture like those of the bundled model: a few plain shapes."""
    picture = Image.new("RGB", (64, 64), (230, 230, 220))
    shapes = ImageDraw.Draw(picture)
    shapes.ellipse((6, 8, 30, 32), (200, 30, 40))
    shapes.rectangle((36, 36, 58, 60), (30, 60, 200))
    return picture


def panel(picture: Image.Image) -> Panel:
    return Panel(picture.width, picture.height, picture.convert("RGB").tobytes())


def saved(kind: str, quality: int) -> Callable[[Image.Image], Image.Image]:
    def save(picture: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, kind, quality=quality)
        return Image.open(buffer)

    return save


def scaled(picture: Image.Image) -> Image.Image:
    return picture.resize((128, 128), Image.Resampling.BICUBIC).resize((64, 64), Image.Resampling.BOX)


def painted(picture: Image.Image) -> Image.Image:
    ImageDraw.Draw(picture).rectangle((8, 40, 23, 55), (250, 220, 0))
    return picture


@pytest.mark.parametrize("change", [saved("JPEG", 75), saved("WEBP", 80), saved("PNG", 1), scaled])
def test_losses_of_saving_do_not_count(change: Callable[[Image.Image], Image.Image]) -> None:
    assert look_alike(panel(drawn()), panel(change(drawn())))


@pytest.mark.parametrize(
    "change",
    [painted, lambda picture: picture.point(lambda value: value * 0.85), lambda picture: picture.rotate(180)],
)
def test_what_a_user_has_changed_is_seen(change: Callable[[Image.Image], Image.Image]) -> None:
    assert not look_alike(panel(drawn()), panel(change(drawn())))
