"""Sheets of true pictures, to look at the world itself: its things, its settings, examples of every task."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from shared.tasks import MapKind, Task
from training.judging.contact_sheet import contact_sheet
from training.judging.plan import Exhibit
from training.world.chains import sample_chain
from training.world.examples import WorldExample, sample_example
from training.world.landscape.painting import paint_landscape
from training.world.layout import draw_scene, pick
from training.world.maps import render_map
from training.world.nature import NATURAL
from training.world.nouns import (
    COLOURS,
    KINDS,
    PATTERNS,
    SCENERIES,
    SIZES,
    TIMES,
    WEATHERS,
    Colour,
    Kind,
    Pattern,
    Size,
)
from training.world.rendering import Picture, render
from training.world.scene import CANVASES, MAIN
from training.world.stamps import colour_stamp, lay

_SCALE: Final = 3
_GRASS: Final = (206, 226, 186)
_GAP: Final = 2


def things_sheet(seed: int) -> Image.Image:
    """Every kind in its three sizes: by nature, then in random colours and patterns."""
    rng = np.random.default_rng(seed)
    strips: list[Picture] = []
    for kind in KINDS:
        looks = [(pick(rng, NATURAL[kind]), Pattern.PLAIN)]
        looks += [(pick(rng, COLOURS), pattern) for pattern in PATTERNS[1:]]
        boxes = zip(looks, reversed(SIZES), strict=True)
        strips.append(_beside([_thing(kind, *look, size) for look, size in boxes]))
    return _enlarged(_grid(strips, columns=8))


def settings_sheet() -> Image.Image:
    """Every scenery at every time and in every weather."""
    pictures = [
        paint_landscape(scenery, time, weather)
        for scenery in SCENERIES
        for time in TIMES
        for weather in WEATHERS
    ]
    return Image.fromarray(_grid(pictures, columns=len(TIMES) * len(WEATHERS)))


def examples_sheet(seed: int, count: int) -> Image.Image:
    """Examples of every task in every size, a scene with all its maps, and chains of edits."""
    rng = np.random.default_rng(seed)
    exhibits: list[Exhibit] = []
    for number in range(count):
        canvas = CANVASES[number % len(CANVASES)]
        exhibits += [_exhibit(sample_example(rng, canvas, task)) for task in Task]
    scene = draw_scene(rng, "train", MAIN, count=4)
    maps = [render_map(scene, kind) for kind in MapKind]
    exhibits.append(Exhibit("a picture and its maps: " + ", ".join(MapKind), (render(scene), *maps)))
    for _ in range(count):
        chain = sample_chain(rng, 5, "train", MAIN)
        words = "; then ".join(step.instruction for step in chain)
        exhibits.append(Exhibit(words, (render(chain[0].before), *(render(step.after) for step in chain))))
    return contact_sheet(exhibits)


def _exhibit(example: WorldExample) -> Exhibit:
    panels = [panel for panel in (example.given, example.result, example.partner) if panel is not None]
    return Exhibit(f"{example.task}: {example.prompt or example.target}", tuple(panels))


def _thing(kind: Kind, colour: Colour, pattern: Pattern, size: Size) -> Picture:
    ground = np.full((size.pixels, size.pixels, 3), _GRASS, np.uint8)
    lay(colour_stamp(kind, colour, pattern, size), ground)
    return ground


def _beside(pictures: Sequence[Picture]) -> Picture:
    """The pictures side by side, standing on one line."""
    height = max(len(picture) for picture in pictures)
    padded = [
        np.pad(picture, ((height - len(picture), 0), (0, _GAP), (0, 0)), constant_values=0)
        for picture in pictures
    ]
    strip = np.concatenate(padded, axis=1)
    strip[(strip == 0).all(axis=2)] = _GRASS
    return strip


def _grid(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures of equal size in rows."""
    rows = [
        np.concatenate([np.pad(p, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=250) for p in row], axis=1)
        for row in (pictures[start : start + columns] for start in range(0, len(pictures), columns))
    ]
    return np.concatenate(rows)


def _enlarged(picture: Picture) -> Image.Image:
    image = Image.fromarray(picture)
    return image.resize((image.width * _SCALE, image.height * _SCALE), Image.Resampling.NEAREST)
