"""Combinations that training never shows, so that an evaluation can test new ones.

Held out are pairs of kind and colour (48 of 480, one for each kind), pairs of kinds in one scene (about a
tenth), and relations between two kinds in a prompt (an eleventh). A formula fixes them. The colours that a
kind has by nature are never held out: a prompt without a colour gets one of them.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations
from typing import Final, Literal

from training.world.nature import NATURAL
from training.world.nouns import COLOURS, KINDS, RELATIONS, Colour, Kind, Relation
from training.world.scene import Look, Scene

Split = Literal["train", "held_out"]

_INDEX: Final = {noun: place for nouns in (KINDS, COLOURS, RELATIONS) for place, noun in enumerate(nouns)}


@cache
def held_out_colour(kind: Kind) -> Colour:
    """The colour in which training never shows this kind."""
    first = 7 * _INDEX[kind] + 3
    turned = (COLOURS[(first + step) % len(COLOURS)] for step in range(len(COLOURS)))
    return next(colour for colour in turned if colour not in NATURAL[kind])


def is_new_look(look: Look) -> bool:
    """Whether this pair of kind and colour is held out."""
    return look.colour is held_out_colour(look.kind)


def is_new_pair(first: Kind, second: Kind) -> bool:
    """Whether this pair of kinds in one scene is held out."""
    one, other = _INDEX[first], _INDEX[second]
    return first is not second and (one + other) % 10 == 7


def is_new_relation(first: Kind, relation: Relation, second: Kind) -> bool:
    """Whether this relation between these kinds is held out."""
    return (_INDEX[first] + 3 * _INDEX[second] + 5 * _INDEX[relation]) % 11 == 0


def can_be_guessed(looks: Sequence[Look]) -> bool:
    """Whether exchanging the colours of two things would give a held-out pair of kind and colour.

    A model can draw such things without reading which of them has which colour, because training shows only
    one of the two assignments. If it is trained on them, it learns to exchange the colours of held-out pairs.
    """
    return any(
        first.colour is held_out_colour(second.kind) or second.colour is held_out_colour(first.kind)
        for first, second in combinations(looks, 2)
    )


def is_trained(looks: Iterable[Look]) -> bool:
    """Whether these things may appear together in a training picture."""
    looks = list(looks)
    if any(is_new_look(look) for look in looks):
        return False
    return not any(is_new_pair(first.kind, second.kind) for first, second in combinations(looks, 2))


def is_new_scene(scene: Scene) -> bool:
    """Whether the scene shows a held-out combination."""
    return not is_trained(item.look for item in scene.things)
