"""Which combinations are never shown in training, so that an evaluation can ask for something new.

Held out are pairs of kind and colour (12 of 96), pairs of kinds in one scene (14 of 66) and described
relations between two kinds. Every kind and every colour has its share, fixed by arithmetic, not by a draw.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

from training.scenes.scene import Scene, SceneObject
from training.scenes.world import COLOURS, KINDS, RELATIONS, Colour, Kind, Relation

Split = Literal["train", "held_out"]

_INDEX = {noun: place for nouns in (KINDS, COLOURS, RELATIONS) for place, noun in enumerate(nouns)}


def is_new_object(kind: Kind, colour: Colour) -> bool:
    """Whether no training picture shows this kind in this colour."""
    return (5 * _INDEX[kind] + _INDEX[colour]) % len(COLOURS) == 3


def is_new_pair(first: Kind, second: Kind) -> bool:
    """Whether no training picture shows these two kinds together."""
    return abs(_INDEX[first] - _INDEX[second]) in {4, 6}


def is_new_relation(first: Kind, relation: Relation, second: Kind) -> bool:
    """Whether no training prompt says this relation of these kinds."""
    return (_INDEX[first] + 3 * _INDEX[second] + 5 * _INDEX[relation]) % 11 == 0


def can_be_guessed(objects: Sequence[SceneObject]) -> bool:
    """Whether two objects with their colours exchanged would show a held-out pair of kind and colour.

    Words about such objects need no reading: what is never shown tells who has which colour. A model that is
    trained on them learns to exchange the colours of just those pairs that are held out.
    """
    return any(
        is_new_object(first.kind, second.colour) or is_new_object(second.kind, first.colour)
        for first, second in combinations(objects, 2)
    )


def is_trained(objects: Sequence[SceneObject]) -> bool:
    """Whether objects may appear together in a training picture."""
    if any(is_new_object(item.kind, item.colour) for item in objects):
        return False
    return not any(is_new_pair(first.kind, second.kind) for first, second in combinations(objects, 2))


def is_new_scene(scene: Scene) -> bool:
    """Whether the scene shows a combination that training never shows."""
    return not is_trained(scene.objects)
