"""Bodies and retries of OpenAI's clients."""

import json

import pytest

from services.api.openai.wire.json_body import parse_object
from services.api.openai.wire.retries import body_digest
from services.api.problems.codes import Problem

LONG = "iVBORw0KGgo/" * 20_000


def test_long_strings_are_read_at_any_depth() -> None:
    body = {"messages": [{"content": [{"image_url": {"url": f"data:image/png;base64,{LONG}"}}]}], "n": 1}
    assert parse_object(bytearray(json.dumps(body).encode())) == body


def test_escapes_in_long_strings_are_undone() -> None:
    slashes = LONG.replace("/", r"\/")
    assert parse_object(bytearray(f'{{"image": "{slashes}"}}'.encode())) == {"image": LONG}
    with pytest.raises(Problem):
        parse_object(bytearray(f'{{"image": "{LONG}\\q"}}'.encode()))


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b'{"n": 1, "n": 2}', b'{"n": NaN}'])
def test_a_body_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(Problem):
        parse_object(bytearray(text))


def test_equal_bodies_have_equal_digests_and_others_do_not() -> None:
    body = {"prompt": "a", "image": LONG, "file": b"abc"}
    same = {"file": b"abc", "image": LONG, "prompt": "a"}
    assert body_digest("/a", body) == body_digest("/a", same)
    others = [("/b", body), ("/a", {**body, "file": b"abd"}), ("/a", {**body, "image": LONG + "A"})]
    assert len({body_digest(path, other) for path, other in others} | {body_digest("/a", body)}) == 4
