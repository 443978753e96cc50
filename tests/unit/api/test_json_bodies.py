"""JSON bodies: limits before parsing, strict types, and pictures that are not parsed."""

import base64
import json
from hashlib import shake_128
from typing import Any

import pytest

from services.api.http.json_bodies import MOST_TEXT_BYTES, parse
from services.api.http.json_text import MOST_MARKS, MarkCounter, check_json
from services.api.http.long_strings import LONG_BYTES, cut_long_strings
from services.api.images.base64_pictures import SLICE, decode_base64
from services.api.images.schemas import ImageUpload
from services.api.problems.codes import Problem, ProblemCode
from shared.schemas.jobs import JobRequest

PICTURE = shake_128(b"picture").digest(3 * LONG_BYTES)
BASE64 = base64.b64encode(PICTURE).decode()
DATA_URL = "data:image/png;base64," + BASE64
BASE64_MASK = "DATA:image/PNG;base64," + BASE64
PICTURES = ("image", "mask")


def body(**fields: Any) -> bytearray:
    return bytearray(json.dumps({"prompt": "a red circle", **fields}).encode())


def refusal(text: bytes | bytearray) -> Problem:
    with pytest.raises(Problem) as refused:
        parse(bytearray(text), JobRequest, PICTURES)
    return refused.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "it is empty"),
        (b"{", "line 1, column 2"),
        (b"\xff{}", "not UTF-8 at byte 0"),
        (b'{"temperature": NaN}', "NaN is not a JSON number"),
        (b'{"temperature": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"temperature": 1e999}', "a number is too large"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "too many digits"),
        (b"[" * 5000, "nested too deeply"),
        (b'{"prompt": "\\ud800"}', "not well-formed JSON"),
        (json.dumps(dict.fromkeys(map(str, range(65)), 0)).encode(), "more than 64 members"),
    ],
    ids=lambda value: repr(value[:16]),
)
def test_what_readers_would_understand_differently_is_no_json(text: bytes, words: str) -> None:
    problem = refusal(text)
    assert problem.code is ProblemCode.MALFORMED_REQUEST
    assert problem.errors
    assert words in problem.detail


def test_a_key_that_stands_twice_is_named() -> None:
    """Fixed bug: the last value was used; now the answer is 400 and names the key."""
    problem = refusal(b'{"prompt": "a", "seed": 1, "prompt": "b"}')
    assert (problem.code, problem.param) == (ProblemCode.MALFORMED_REQUEST, "prompt")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", True),
        ("n", "2"),
        ("n", 2.5),
        ("seed", "7"),
        ("temperature", "1"),
        ("guidance_scale", True),
        ("prompt", 5),
        ("start_by", 1_900_000_000),
        ("task", 1),
        ("metadata", []),
    ],
)
def test_json_types_are_strict(name: str, value: Any) -> None:
    """Fixed bug: `"n": true` was accepted as 1."""
    problem = refusal(body(**{name: value}))
    assert (problem.code, problem.param) == (ProblemCode.INVALID_REQUEST, name)


@pytest.mark.parametrize(
    ("fields", "param", "sentence"),
    [
        ({"promt": "x"}, "promt", "There is no field `promt`; did you mean `prompt`?"),
        ({"Size": "64x64"}, "Size", "There is no field `Size`; did you mean `size`?"),
        ({"webhook": {"url": "https://a.b", "event": []}}, "webhook.event", "did you mean `events`?"),
        ({"qqqq": 1}, "qqqq", "There is no field `qqqq`."),
    ],
)
def test_a_misspelt_field_is_told_with_the_nearest_right_one(
    fields: dict[str, Any], param: str, sentence: str
) -> None:
    problem = refusal(body(**fields))
    assert (problem.param, problem.errors[0].param) == (param, param)
    assert sentence in problem.detail


@pytest.mark.parametrize("name", ["n", "seed", "top_k"])
def test_a_whole_number_may_be_written_with_a_point(name: str) -> None:
    request = parse(body(**{name: 2.0}), JobRequest, PICTURES)
    assert getattr(request, name) == 2


def test_a_million_wrong_events_are_a_short_refusal() -> None:
    """Fixed bug: the response had 229 MB and took 3.3 GB of memory and 20 s."""
    with pytest.raises(Problem) as refused:
        MarkCounter().add(json.dumps(["job.done"] * 1_000_000).encode())
    assert len(refused.value.detail) < 200
    many = refusal(body(webhook={"url": "https://a.b", "events": ["job.done"] * 1000}))
    assert len(many.errors) <= 20
    assert many.errors[0].param.startswith("webhook.events")


def test_at_most_twenty_errors_are_told_and_names_are_cut() -> None:
    problem = refusal(body(**{"x" * 5000 + str(number): 0 for number in range(50)}))
    assert len(problem.errors) == 20
    assert all(len(error.param) <= 100 and len(error.message) <= 300 for error in problem.errors)
    assert len(problem.detail) < 500


def test_the_marks_of_the_longest_request_are_allowed_and_few_more() -> None:
    longest = body(prompt="," * 8000, metadata={f"{number:,<64}": ":" * 512 for number in range(32)})
    MarkCounter().add(bytes(longest))
    parse(longest, JobRequest, PICTURES)
    with pytest.raises(Problem):
        MarkCounter().add(b"[" * (MOST_MARKS + 1))


@pytest.mark.parametrize("escape", [False, True])
def test_a_picture_in_a_body_comes_through_untouched(escape: bool) -> None:
    """PHP escapes slashes in JSON; the picture is the same."""
    text = body(task="edit", image=DATA_URL, mask=BASE64_MASK)
    if escape:
        text = bytearray(text.replace(b"/", rb"\/"))
    request = parse(text, JobRequest, PICTURES)
    assert (request.image, request.mask) == (DATA_URL, BASE64_MASK)
    assert text == b""


def test_a_bare_picture_with_line_ends_is_taken() -> None:
    wrapped = "\n".join(BASE64[start : start + 76] for start in range(0, len(BASE64), 76))
    upload = parse(bytearray(json.dumps({"image": wrapped}).encode()), ImageUpload, ["image"])
    assert decode_base64(upload.image) == PICTURE


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": DATA_URL}, "prompt"),
        ({"metadata": {"image": DATA_URL}}, "metadata.image"),
        ({"task": "edit", "image": "https://a.b/" + "c" * LONG_BYTES}, "image"),
        ({"webhook": {"url": "https://a.b/" + "c" * LONG_BYTES}}, "webhook.url"),
        ({"webhook": {"url": "https://a.b/" + "c" * 3000}}, "webhook.url"),
        ({"prompt": "x" * LONG_BYTES}, "prompt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_long_string_where_no_picture_belongs_is_refused(fields: dict[str, Any], param: str) -> None:
    """Fixed bug: webhook URLs of 8 MB were stored, and returned in every response."""
    problem = refusal(body(**fields))
    assert (problem.code, problem.param) == (ProblemCode.INVALID_REQUEST, param)
    assert len(problem.detail) < 400


def test_text_beside_pictures_is_bounded() -> None:
    assert refusal(b" " * (MOST_TEXT_BYTES + 1)).code is ProblemCode.BODY_TOO_LARGE


def test_strings_are_cut_only_where_they_are_long() -> None:
    long = "a" * (LONG_BYTES + 1)
    given = {'a\\"': "b\\", long: long, "c": ["\\\\", '"']}
    cut = cut_long_strings(bytearray(json.dumps(given).encode()), MOST_TEXT_BYTES)
    assert cut is not None
    assert len(cut.strings) == 2
    assert len(cut.text) < 1000
    check_json(cut.text)


@pytest.mark.parametrize("size", [1, 2, 3, SLICE // 4 * 3, SLICE, 2 * SLICE + 1])
def test_base64_is_decoded_in_slices(size: int) -> None:
    data = shake_128(b"picture").digest(size)
    text = base64.b64encode(data).decode()
    assert decode_base64(text) == data
    assert decode_base64("data:image/png;base64," + text) == data


@pytest.mark.parametrize(
    "wrong", ["****", "QUJD=", "QQ==QQ==", "QQ", "Q", "äöü", "", "data:image/png;base64,"]
)
def test_what_is_no_base64_is_refused(wrong: str) -> None:
    with pytest.raises(Problem) as refused:
        decode_base64(wrong)
    assert refused.value.code is ProblemCode.IMAGE_UNREADABLE


def test_base64_that_goes_on_after_its_padding_is_refused_in_every_slice() -> None:
    text = "A" * (SLICE - 4) + "QQ==" + "QUJD"
    with pytest.raises(Problem):
        decode_base64(text)


@pytest.mark.parametrize("name", ["prompt"])
@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000"])
def test_a_blank_prompt_is_refused(name: str, blank: str) -> None:
    """Fixed bug: a job with a blank prompt was queued."""
    assert refusal(body(**{name: blank})).param == name


@pytest.mark.parametrize(
    ("value", "taken"), [(0, True), (1e-6, True), (1e-40, False), (1e-7, False), (4, True)]
)
def test_a_temperature_that_the_engine_cannot_divide_by_is_refused(value: float, taken: bool) -> None:
    """Fixed bug: a job with temperature 1e-40 was queued and failed in the worker."""
    if taken:
        assert parse(body(temperature=value), JobRequest, PICTURES).temperature == value
    else:
        assert refusal(body(temperature=value)).param == "temperature"


@pytest.mark.parametrize(("given", "shown"), [("canny", "edges"), ("edges", "edges")])
def test_maps_have_one_name(given: str, shown: str) -> None:
    image = "img_" + "0" * 26
    request = parse(body(task="control", image=image, control=given), JobRequest, PICTURES)
    assert request.control == shown
    dense = parse(body(task="dense", image=image, target=given), JobRequest, PICTURES)
    assert dense.target == shown


@pytest.mark.parametrize("events", [[], ["job.failed", "job.failed"], ["job.failed"] * 10, ["failed"]])
def test_events_are_a_short_list_of_different_ones(events: list[str]) -> None:
    problem = refusal(body(webhook={"url": "https://a.b", "events": events}))
    assert (problem.param or "").startswith("webhook.events")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": "a\0b"}, "prompt"),
        ({"metadata": {"key": "a\0"}}, "metadata.key"),
        ({"metadata": {"a\0": "b"}}, "metadata.a\0"),
        ({"model": "\0"}, "model"),
    ],
)
def test_a_text_with_a_zero_byte_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refusal(body(**fields)).param == param


@pytest.mark.parametrize("size", ["０６４x６４", "064x64", "64X64", "64x64 ", "64x64\n", "2080x64", "48x64"])
def test_a_size_is_written_in_one_way(size: str) -> None:
    assert refusal(body(size=size)).param == "size"
