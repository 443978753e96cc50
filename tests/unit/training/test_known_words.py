"""The card of the bundled model lists exactly the words of the scene world."""

import shutil
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from services.worker.model.card import read_known_words
from shared.known_words import FUNCTION_WORDS, WORD, bases, unknown_words
from tests.support.source_tree import ROOT
from training.model_card import main
from training.scenes import sample_example
from training.scenes.vocabulary import known_words

MANY = 3000


def test_training_prompts_have_exactly_the_known_words() -> None:
    rng = np.random.default_rng(3)
    words = {word for _ in range(MANY) for word in WORD.findall(sample_example(rng).prompt)}
    assert unknown_words(" ".join(words), known_words()) == []
    used = set[str]().union(*(bases(word) for word in words))
    assert [word for word in known_words() if word not in used or word in FUNCTION_WORDS] == []
    assert len(set(known_words())) == len(known_words())


def test_the_bundled_model_s_card_lists_them() -> None:
    assert read_known_words(ROOT / "models/tiny") == [str(word) for word in known_words()]


def test_a_card_keeps_its_text_and_its_other_metadata(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    card.write_text("---\nlicense: apache-2.0\nknows: [cat]\n---\n# A model\n\n---\nmore\n", encoding="utf-8")
    for _ in range(2):
        assert CliRunner().invoke(main, ["--model", str(tmp_path)]).exit_code == 0
    text = card.read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: apache-2.0\nknows: [ball,")
    assert text.endswith("]\n---\n# A model\n\n---\nmore\n")
    assert read_known_words(tmp_path) == [str(word) for word in known_words()]


def test_a_card_without_metadata_gets_some(tmp_path: Path) -> None:
    shutil.copy(ROOT / "README.md", tmp_path / "MODEL_CARD.md")
    assert CliRunner().invoke(main, ["--model", str(tmp_path)]).exit_code == 0
    assert (
        (tmp_path / "MODEL_CARD.md")
        .read_text("utf-8")
        .endswith("---\n" + (ROOT / "README.md").read_text("utf-8"))
    )
