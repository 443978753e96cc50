"""Special tokens are found by name; a tokenizer without them raises one clear error."""

from collections.abc import Mapping

import pytest

from services.worker.engine.errors import GrammarError, ImageSizeError, VocabularyError
from services.worker.engine.layout.vocabulary import Vocabulary

BEGIN = "<|endoftext|>"
SPECIALS = (BEGIN, "<reserved08706>", "<racm3:break>", "<eoss>", "<reserved08799>")


def named_tokens(*, grids: int = 6, codes: int = 8, first_code: int = 100) -> dict[str, int]:
    """Token names of a tokenizer: special tokens in mixed order, image codes from `first_code` on."""
    names = [*SPECIALS, *(f"<reserved{8800 + n:05d}>" for n in range(1, grids + 1))]
    ids = [position * 37 % first_code for position in range(len(names))]
    return {**dict(zip(names, ids, strict=True)), **{f"<MOVQGAN{k}>": first_code + k for k in range(codes)}}


def vocabulary(token_ids: Mapping[str, int], size: int = 200) -> Vocabulary:
    return Vocabulary.from_names(token_ids, begin_name=BEGIN, size=size)


def test_tokens_are_found_by_name_whatever_the_order_of_their_ids():
    names = named_tokens()
    found = vocabulary(names)
    assert found.begin_of_sequence == names[BEGIN]
    assert found.separator == names["<reserved08706>"]
    assert found.image_start == names["<racm3:break>"]
    assert found.image_end == names["<eoss>"]
    assert found.newline == names["<reserved08799>"]
    assert [found.grid_token(n) for n in range(1, 7)] == [
        names[f"<reserved{8800 + n:05d}>"] for n in range(1, 7)
    ]


def test_grid_tokens_and_codes_translate_back():
    found = vocabulary(named_tokens())
    assert [found.grid_count(found.grid_token(n)) for n in range(1, found.max_grid + 1)] == [1, 2, 3, 4, 5, 6]
    assert [found.code_of_token(found.token_of_code(code)) for code in range(8)] == list(range(8))
    assert found.is_image_token(100)
    assert found.is_image_token(107)
    assert not found.is_image_token(99)
    assert not found.is_image_token(108)


def test_reserved_tokens_after_a_gap_are_no_grid_tokens():
    names = named_tokens(grids=3) | {"<reserved09100>": 150}
    found = vocabulary(names)
    assert found.max_grid == 3
    with pytest.raises(GrammarError, match="not a grid token"):
        found.grid_count(150)


def test_one_error_names_every_missing_token():
    with pytest.raises(VocabularyError) as caught:
        vocabulary({"hello": 0})
    for name in (*SPECIALS, "<reserved08801>", "<MOVQGAN0>"):
        assert name in str(caught.value)


def test_a_hole_in_the_image_codes_is_named():
    names = named_tokens()
    del names["<MOVQGAN5>"]
    with pytest.raises(VocabularyError, match="not <MOVQGAN5>"):
        vocabulary(names)


def test_image_codes_out_of_order_are_refused():
    names = named_tokens()
    names["<MOVQGAN2>"], names["<MOVQGAN3>"] = names["<MOVQGAN3>"], names["<MOVQGAN2>"]
    with pytest.raises(VocabularyError, match="not contiguous: <MOVQGAN2>"):
        vocabulary(names)


def test_ids_beyond_the_logits_are_refused():
    with pytest.raises(VocabularyError, match="up to 107, but the model's logits have only 107"):
        vocabulary(named_tokens(), size=107)


def test_a_special_token_among_the_image_codes_is_refused():
    with pytest.raises(VocabularyError, match="the id of an image code"):
        vocabulary(named_tokens() | {"<eoss>": 103})


def test_the_public_checkpoint_has_its_codes_at_the_published_base():
    found = vocabulary(public_names(), size=171_392)
    assert found.first_image_token == 155_000
    assert found.image_code_count == 16_384


def test_the_published_base_is_not_assumed_for_another_tokenizer():
    with pytest.raises(VocabularyError, match="<MOVQGAN0>"):
        vocabulary(public_names() | {"<eoss>": 151_667}, size=171_392)
    with pytest.raises(VocabularyError, match="<MOVQGAN0>"):
        vocabulary(public_names(), size=171_383)


def test_codes_and_grids_that_do_not_exist_are_refused():
    found = vocabulary(named_tokens())
    with pytest.raises(GrammarError, match=r"outside 0\.\.7"):
        found.token_of_code(8)
    with pytest.raises(GrammarError, match="not an image code"):
        found.code_of_token(99)
    with pytest.raises(ImageSizeError, match=r"224 pixels is not supported.* 32 to 192"):
        found.grid_token(7)


def public_names() -> dict[str, int]:
    return {
        BEGIN: 151_643,
        "<racm3:break>": 151_665,
        "<eoss>": 151_666,
        "<reserved08799>": 151_670,
        "<reserved08706>": 151_800,
        "<reserved08801>": 151_672,
    }
