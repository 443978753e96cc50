"""Pictures in requests of OpenAI's clients, in every form in which they come."""

import asyncio
import base64

import pytest

from services.api.openai.pictures.sources import source_of
from services.api.problems.codes import Problem
from shared.schemas.fields import check_given_image
from tests.support.gateway.clients import encoded, png

URL = "https://luminary.example"
PICTURE = "img_01m8a4vqzhe2fbpdaz3zp1kwsh"
ENCODED = base64.b64encode(png()).decode()
DATA_URL = f"data:image/png;base64,{ENCODED}"


def source(given: str | bytes) -> str:
    found = asyncio.run(source_of(given, "image", URL))
    assert check_given_image(found) == found
    return found


def test_a_file_is_recognized_by_its_content() -> None:
    assert source(png()) == DATA_URL
    assert source(encoded("JPEG")).startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("prefix", ["", "data:;base64,", "data:application/octet-stream;base64,"])
def test_base64_is_recognized_by_its_content(prefix: str) -> None:
    assert source(prefix + ENCODED) == DATA_URL


def test_ids_and_urls_stay_and_own_addresses_become_ids() -> None:
    assert source(PICTURE) == PICTURE
    assert source("https://example.org/cat.png") == "https://example.org/cat.png"
    assert source(f"{URL}/v1/images/{PICTURE}/content?format=webp") == PICTURE
    assert source(f"{URL}/openai/v1/pictures/{PICTURE}.png?signature=ab") == PICTURE
    assert source(f"https://elsewhere.example/v1/images/{PICTURE}/content").startswith("https://elsewhere")


@pytest.mark.parametrize(
    "given", [b"hello", "hello", "data:image/png,abc", "data:text/plain;base64,aGVsbG8="]
)
def test_what_is_no_picture_is_refused(given: str | bytes) -> None:
    with pytest.raises(Problem) as refused:
        source(given)
    assert refused.value.param == "image"
