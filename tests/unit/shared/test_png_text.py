"""Text chunks of a PNG are found at its beginning, and put back where they were."""

import io

import pytest
from PIL import Image

from services.worker.job.provenance import add_text
from shared.png_text import leading_text, with_leading_text


def picture() -> bytes:
    """A PNG without text."""
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("text", [{}, {"Software": "Luminary", "luminary": "é" * 3000}])
def test_a_picture_with_its_text_put_back_is_the_picture(text: dict[str, str]) -> None:
    whole = add_text(picture(), text)
    assert with_leading_text(picture(), leading_text(whole)) == whole


def test_a_start_that_is_cut_in_a_chunk_gives_the_whole_chunks_alone() -> None:
    one, two = add_text(picture(), {"a": "1"}), add_text(picture(), {"a": "1", "b": "2" * 100})
    assert leading_text(two[:90]) == leading_text(one)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", picture()[:40]])
def test_other_files_have_no_text(data: bytes) -> None:
    assert leading_text(data) == b""
