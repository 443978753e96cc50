"""Put descriptions and edits into plain, lower-case English with varied wording."""

from typing import Final, assert_never

from numpy.random import Generator

from training.scenes.descriptions import Description, Mention, mention_of
from training.scenes.edits import Edit, EditKind
from training.scenes.layout import pick
from training.scenes.scene import Scene, SceneObject
from training.scenes.world import Background, Kind, Place, Relation

WHERE: Final[dict[Background, str]] = {
    Background.MEADOW: "in the meadow",
    Background.BEACH: "on the beach",
    Background.NIGHT: "at night",
    Background.SNOW: "in the snow",
    Background.DESERT: "in the desert",
    Background.ROOM: "in a room",
    Background.PLAIN: "on plain ground",
}
_SCENERY: Final[dict[Background, str]] = {
    Background.MEADOW: "a meadow",
    Background.BEACH: "a beach",
    Background.NIGHT: "night",
    Background.SNOW: "snow",
    Background.DESERT: "a desert",
    Background.ROOM: "a room",
    Background.PLAIN: "plain ground",
}
_NUMBERS: Final = ("no", "one", "two", "three", "four")
_PLURALS: Final[dict[Kind, str]] = {Kind.FISH: "fish"}
_RELATIONS: Final[dict[Relation, tuple[str, ...]]] = {
    Relation.LEFT_OF: ("left of", "to the left of"),
    Relation.RIGHT_OF: ("right of", "to the right of"),
    Relation.ABOVE: ("above", "over"),
    Relation.BELOW: ("below", "under"),
    Relation.IN_FRONT_OF: ("in front of",),
}
_OPENERS: Final = ("", "", "a picture of ", "there is ", "draw ")


def caption(rng: Generator, description: Description) -> str:
    """A prompt for a description: 'a red ball and two white stars in the snow'."""
    phrases = [_with_place(indefinite(mention), mention.place) for mention in description.mentions]
    if description.relation is None:
        body = _listed(phrases)
    else:
        body = f"{phrases[0]} {pick(rng, _RELATIONS[description.relation])} {phrases[1]}"
    opener = pick(rng, _OPENERS)
    if description.background is None:
        return opener + body
    where = WHERE[description.background]
    return f"{where}, {body}" if rng.random() < 0.2 else f"{opener}{body} {where}"


def subject_caption(rng: Generator, description: Description) -> str:
    """A prompt that refers to the object in the given picture: 'this star in the snow'."""
    subject, *others = description.mentions
    phrases = [_with_place(f"{pick(rng, ('this', 'the same'))} {subject.kind}", subject.place)]
    phrases += [_with_place(indefinite(mention), mention.place) for mention in others]
    where = "" if description.background is None else f" {WHERE[description.background]}"
    return _listed(phrases) + where


def instruction(rng: Generator, edit: Edit, scene: Scene) -> str:
    """The instruction for an edit of a scene: 'move the red ball to the top left'."""
    if edit.kind is EditKind.BACKGROUND and edit.background is not None:
        ways = (
            f"change the background to {_SCENERY[edit.background]}",
            f"make the background {_SCENERY[edit.background]}",
            f"set the scene {WHERE[edit.background]}",
        )
        return pick(rng, ways)
    return _object_instruction(rng, edit, scene)


def indefinite(mention: Mention) -> str:
    """The indefinite noun phrase of a mention: 'a small red ball', 'three stars'."""
    words = [word for word in (mention.size, mention.colour) if word is not None]
    if mention.count > 1:
        plural = _PLURALS.get(mention.kind, f"{mention.kind}s")
        return " ".join((_NUMBERS[mention.count], *words, plural))
    phrase = " ".join((*words, mention.kind))
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _object_instruction(rng: Generator, edit: Edit, scene: Scene) -> str:
    """The instruction for an edit of an object."""
    if edit.before is None:
        if edit.after is None:
            raise ValueError(f"a {edit.kind} edit needs an object")
        arrival = _with_place(_full(edit.after), edit.after.place(scene.cells))
        return f"{pick(rng, ('add', 'put', 'place'))} {arrival}"
    target = _definite(mention_of(edit.before, scene))
    if edit.after is None:
        return f"{pick(rng, ('remove', 'delete', 'take away'))} {target}"
    after = edit.after
    match edit.kind:
        case EditKind.REPLACE:
            arrival = indefinite(Mention(after.kind, after.colour))
            return pick(rng, (f"replace {target} with {arrival}", f"turn {target} into {arrival}"))
        case EditKind.RECOLOUR:
            return f"{pick(rng, ('make', 'paint', 'colour'))} {target} {after.colour}"
        case EditKind.MOVE:
            return f"{pick(rng, ('move', 'bring'))} {target} to the {after.place(scene.cells)}"
        case EditKind.ADD | EditKind.REMOVE | EditKind.BACKGROUND:
            raise ValueError(f"a {edit.kind} edit cannot turn one object into another")
    assert_never(edit.kind)


def _definite(mention: Mention) -> str:
    colour = "" if mention.colour is None else f"{mention.colour} "
    return f"the {colour}{mention.kind}"


def _full(item: SceneObject) -> str:
    return indefinite(Mention(item.kind, item.colour, item.size))


def _with_place(phrase: str, place: Place | None) -> str:
    match place:
        case None:
            return phrase
        case Place.LEFT | Place.RIGHT:
            return f"{phrase} on the {place}"
        case Place.MIDDLE:
            return f"{phrase} in the {place}"
        case _:
            return f"{phrase} at the {place}"


def _listed(phrases: list[str]) -> str:
    """Join phrases to 'a, b and c'."""
    *firsts, last = phrases
    return f"{', '.join(firsts)} and {last}" if firsts else last
