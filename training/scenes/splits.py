"""Combinations that training never shows, so that an evaluation can test new ones.

Held out are pairs of kind and colour (12 of 96), pairs of kinds in one scene (14 of 66), and relations
between two kinds in a prompt. A formula fixes them, and every kind and every colour has some.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

from training.scenes.scene import Scene, SceneObject
from training.scenes.world import COLOURS, KINDS, RELATIONS, Colour, Kind, Relation

Split = Literal["train", "held_out"]

_INDEX = {noun: place for nouns in (KINDS, COLOURS, RELATIONS) for place, noun in enumerate(nouns)}


def is_new_object(kind: Kind, colour: Colour) -> bool:
    """Whether this pair of kind and colour is held out."""
    return (5 * _INDEX[kind] + _INDEX[colour]) % len(COLOURS) == 3


def is_new_pair(first: Kind, second: Kind) -> bool:
    """Whether this pair of kinds in one scene is held out."""
    return abs(_INDEX[first] - _INDEX[second]) in {4, 6}


def is_new_relation(first: Kind, relation: Relation, second: Kind) -> bool:
    """Whether this relation between these kinds is held out."""
    return (_INDEX[first] + 3 * _INDEX[second] + 5 * _INDEX[relation]) % 11 == 0


def can_be_guessed(objects: Sequence[SceneObject]) -> bool:
    """Whether exchanging the colours of two objects would give a held-out pair of kind and colour.

    A model can draw such objects without reading which of them has which colour, because training shows only
    one of the two assignments. If it is trained on them, it learns to exchange the colours of held-out pairs.
    """
    return any(
        is_new_object(first.kind, second.colour) or is_new_object(second.kind, first.colour)
        for first, second in combinations(objects, 2)
    )


def is_trained(objects: Sequence[SceneObject]) -> bool:
    """Whether these objects may appear together in a training picture."""
    if any(is_new_object(item.kind, item.colour) for item in objects):
        return False
    return not any(is_new_pair(first.kind, second.kind) for first, second in combinations(objects, 2))


def is_new_scene(scene: Scene) -> bool:
    """Whether the scene shows a held-out combination."""
    return not is_trained(scene.objects)
