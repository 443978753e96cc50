"""Contact sheet: many small pictures with their captions on one large picture."""

import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.judging.plan import Exhibit
from training.scenes.rendering import Picture

_SCALE: Final = 2
_GAP: Final = 12
_LINE: Final = 13
_WIDTH: Final = 1400
_INK: Final = (40, 40, 50)
_PAPER: Final = (250, 249, 246)


def contact_sheet(exhibits: Sequence[Exhibit]) -> Image.Image:
    """All exhibits in reading order, each a row of pictures at twice their size with the words below."""
    font = ImageFont.load_default(size=11)
    cards = [_card(exhibit, font) for exhibit in exhibits]
    places: list[tuple[int, int]] = []
    left, top, shelf = _GAP, _GAP, 0
    for card in cards:
        if left + card.width > _WIDTH - _GAP and left > _GAP:
            left, top, shelf = _GAP, top + shelf + _GAP, 0
        places.append((left, top))
        left, shelf = left + card.width + _GAP, max(shelf, card.height)
    sheet = Image.new("RGB", (_WIDTH, top + shelf + _GAP), _PAPER)
    for card, place in zip(cards, places, strict=True):
        sheet.paste(card, place)
    return sheet


def _card(exhibit: Exhibit, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> Image.Image:
    strip = Image.fromarray(np.concatenate([_framed(picture) for picture in exhibit.pictures], axis=1))
    strip = strip.resize((strip.width * _SCALE, strip.height * _SCALE), Image.Resampling.NEAREST)
    lines = textwrap.wrap(exhibit.words, width=max(18, strip.width // 6))
    card = Image.new("RGB", (strip.width, strip.height + 4 + _LINE * len(lines)), _PAPER)
    card.paste(strip, (0, 0))
    ImageDraw.Draw(card).multiline_text(
        (0, strip.height + 2), "\n".join(lines), fill=_INK, font=font, spacing=2
    )
    return card


def _framed(picture: Picture) -> Picture:
    """The picture with a narrow margin at its right."""
    margin = np.full((picture.shape[0], 2, 3), _PAPER, np.uint8)
    return np.concatenate([picture, margin], axis=1)
