"""The drawing of every thing, by one set of strokes."""

from collections.abc import Callable
from typing import Final

from training.world.drawing import animals, buildings, everyday, food, plants, vehicles
from training.world.drawing.skeletons import SKELETONS
from training.world.drawing.sketch import Sketch
from training.world.nouns import KINDS, Family, Kind

_MODULES: Final = {
    Family.ANIMALS: animals,
    Family.PLANTS: plants,
    Family.FOOD: food,
    Family.VEHICLES: vehicles,
    Family.BUILDINGS: buildings,
    Family.EVERYDAY: everyday,
}

DRAWINGS: Final[dict[Kind, Callable[[Sketch], None]]] = {
    kind: getattr(_MODULES[kind.family], kind.replace(" ", "_")) for kind in KINDS
}
"""Draws a kind onto an empty sketch; the function has the kind's name."""

__all__ = ["DRAWINGS", "SKELETONS"]
