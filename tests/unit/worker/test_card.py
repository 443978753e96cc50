"""The words that a model knows are read from its card."""

from pathlib import Path

import pytest

from services.worker.engine.errors import CheckpointError
from services.worker.model.card import read_known_words


def card(folder: Path, text: str, name: str = "README.md") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "text", ["", "# A model\n", "---\nlicense: apache-2.0\n---\n# A model\n", "---\n---\n"]
)
def test_a_card_may_list_no_words(tmp_path: Path, text: str) -> None:
    assert read_known_words(tmp_path) is None
    if text != "---\n---\n":
        assert read_known_words(card(tmp_path, text)) is None


@pytest.mark.parametrize("name", ["README.md", "MODEL_CARD.md"])
def test_words_are_a_list_in_the_metadata(tmp_path: Path, name: str) -> None:
    text = "---\nlicense: apache-2.0\nknows: [ball, 'no', straße]\n---\n# A model\n"
    assert read_known_words(card(tmp_path, text, name)) == ["ball", "no", "straße"]


@pytest.mark.parametrize(
    "metadata",
    ["knows: ball", "knows: [no, ball]", "knows: []", "knows: [1]", "knows: [", "- knows", "knows: ['']"],
)
def test_other_metadata_is_an_error_with_the_file_s_name(tmp_path: Path, metadata: str) -> None:
    with pytest.raises(CheckpointError, match=r"README\.md"):
        read_known_words(card(tmp_path, f"---\n{metadata}\n---\n"))


def test_metadata_without_an_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        read_known_words(card(tmp_path, "---\nknows: [ball]\n"))
