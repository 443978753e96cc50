"""`luminary verify` says in words what each layer has found."""

from typing import Any

import pytest

from luminary.remote.verify_command import registry_words


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"state": "not_found"}, "not found"),
        (
            {"state": "found", "match": "pixels", "p_value": 1e-77, "image_id": None},
            "found: the same pixels, p = 1e-77",
        ),
        (
            {
                "state": "found",
                "match": "near",
                "p_value": 2.4e-9,
                "matching_cells": 51,
                "compared_cells": 64,
                "image_id": "img_1",
            },
            "found: 51 of 64 cells are equal, p = 2e-09, img_1",
        ),
    ],
)
def test_a_layer_is_one_line(layer: dict[str, Any], words: str) -> None:
    assert registry_words(layer) == words
