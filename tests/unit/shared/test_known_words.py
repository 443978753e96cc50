"""Unknown words of a prompt are named; function words and inflections of known words are not."""

import pytest

from shared.known_words import MOST_LISTED, MOST_NAMED, unknown_words, unknown_words_warning

KNOWS = ["ball", "box", "berry", "move", "colour", "large", "car", "fish", "red"]


@pytest.mark.parametrize(
    "text",
    [
        "Balls, boxes and berries",
        "the ball's colours",
        "it is moved; they are moving it",
        "a LARGER car on the largest fish",
        "",
        "... \u2014 !",
    ],
)
def test_forms_of_known_words_and_function_words_are_known(text: str) -> None:
    assert unknown_words(text, KNOWS) == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("a Cat and a cat\u2019s ball", ["cat", "cat's"]),
        ("no ball, without a box", ["no", "without"]),
        ("7 red balls", ["7"]),
        ("caring for a reddish ball", ["caring", "reddish"]),
        ("ein roter Ball, 赤い車", ["ein", "roter", "赤い車"]),
    ],
)
def test_other_words_are_unknown(text: str, unknown: list[str]) -> None:
    assert unknown_words(text, KNOWS) == unknown


def test_a_warning_says_what_is_unknown_and_what_is_known() -> None:
    assert unknown_words_warning("prompt", "a cat and a dog", ["ball", "red"]) == {
        "code": "unknown_words",
        "param": "prompt",
        "message": "`cat` and `dog` are unknown to this model; it knows: ball, red",
        "words": ["cat", "dog"],
    }
    assert unknown_words_warning("prompt", "a red ball", ["ball", "red"]) is None


def test_a_message_stays_short() -> None:
    text = " ".join(f"{letter}{'x' * 500}" for letter in "abcdefghijklmnop")
    warning = unknown_words_warning("prompt", text, [f"word{number}" for number in range(1000)])
    assert warning is not None
    assert len(warning["message"]) < 60 * (MOST_NAMED + 1) + 12 * MOST_LISTED
    assert "6 more are unknown" in warning["message"]
