"""The HTTP interface of the tokenizer service."""

import asyncio
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from services.tokenizer.app import create_app
from services.tokenizer.image_codec import decode_grids, encode_pixels, read_pixels
from services.tokenizer.movqgan import load_movqgan
from services.tokenizer.settings import TokenizerServiceSettings
from services.tokenizer.wire import GRID_TYPE, TOKENIZER_HEADER
from shared.problem_documents import MEDIA_TYPE, ProblemDocument
from shared.token_grid import TokenGrid
from tests.support.models.random_models import CODES, write_movqgan

GRID = TokenGrid(4, 8, tuple(range(32)))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movqgan(tmp_path_factory.mktemp("movqgan"))


@pytest.fixture(scope="module")
def client(model_folder: Path) -> Iterator[TestClient]:
    settings = TokenizerServiceSettings(model=str(model_folder), device="cpu", max_pixels=1_000_000)
    with TestClient(create_app(settings)) as client:
        yield client


def picture(size: tuple[int, int] = (64, 32), image_format: str = "PNG") -> bytes:
    """A picture file with random pixels."""
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=image_format)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes whose header says 30000x30000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def refused(answer: Response) -> ProblemDocument:
    """Check that the answer is a problem document with the gateway's fields, and return it."""
    document = ProblemDocument.model_validate_json(answer.content)
    assert document.model_dump() == answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["x-request-id"] == document.request_id
    assert document.status == answer.status_code
    assert document.error.message == document.detail
    assert document.type.endswith(f"/problems/{document.error.code}")
    return document


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_encoding_gives_the_codes_of_the_model_itself(
    client: TestClient, model_folder: Path, image_format: str
) -> None:
    data = picture(image_format=image_format)
    expected = encode_pixels(load_movqgan(model_folder), read_pixels(data, max_pixels=10**6, fit=(64, 32)))[0]

    answer = client.post("/v1/encode?size=64x32", content=data)

    assert answer.status_code == 200
    assert answer.json()["tokens"] == list(expected.tokens)
    assert answer.json()["sha256"] == expected.sha256()
    assert answer.json()["tokenizer"] == answer.headers[TOKENIZER_HEADER]


def test_the_compact_form_holds_the_same_grid_as_json(client: TestClient) -> None:
    compact = client.post("/v1/encode?size=64x32", content=picture(), headers={"Accept": GRID_TYPE})
    readable = client.post("/v1/encode?size=64x32", content=picture()).json()

    grid = TokenGrid.from_bytes(compact.content)
    assert compact.headers["content-type"] == GRID_TYPE
    assert (grid.height, grid.width, list(grid.tokens)) == (4, 8, readable["tokens"])


def test_a_fit_target_chooses_the_size_by_the_pictures_shape(client: TestClient) -> None:
    grid = client.post("/v1/encode?fit=64", content=picture((200, 50))).json()
    assert (grid["width"] * 8, grid["height"] * 8) == (128, 32)


def test_decoding_gives_the_pixels_of_the_model_itself(client: TestClient, model_folder: Path) -> None:
    expected = decode_grids(load_movqgan(model_folder), [GRID])[0]

    by_bytes = client.post("/v1/decode", content=GRID.to_bytes(), headers={"Content-Type": GRID_TYPE})
    by_json = client.post("/v1/decode", json={"height": 4, "width": 8, "tokens": list(GRID.tokens)})

    assert by_bytes.headers["content-type"] == "image/png"
    assert by_bytes.content == by_json.content
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(by_bytes.content))), np.asarray(expected))


def test_a_preview_is_small_and_grey_where_no_row_is_drawn(client: TestClient) -> None:
    answer = client.post(
        "/v1/preview?rows=8&longest_side=32", content=GRID.to_bytes(), headers={"Content-Type": GRID_TYPE}
    )
    preview = Image.open(io.BytesIO(answer.content))
    assert preview.size == (32, 32)
    assert preview.getpixel((16, 30)) == (128, 128, 128)
    assert preview.getpixel((16, 2)) != (128, 128, 128)


def test_a_mask_marks_every_cell_that_has_white_in_it(client: TestClient) -> None:
    mask = Image.new("L", (64, 32), 0)
    mask.putpixel((17, 9), 255)
    buffer = io.BytesIO()
    mask.save(buffer, format="PNG")

    cells = client.post("/v1/mask?size=64x32", content=buffer.getvalue()).json()["cells"]

    assert [(row, column) for row, line in enumerate(cells) for column, cell in enumerate(line) if cell] == [
        (1, 2)
    ]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (picture()[:-40], 422, "image_unreadable"),
        (b"not a picture", 415, "image_format_unsupported"),
        (bomb(), 413, "image_too_large"),
    ],
)
def test_a_bad_picture_is_refused_with_its_own_code(
    client: TestClient, data: bytes, status: int, code: str
) -> None:
    answer = client.post("/v1/encode?size=64x32", content=data)

    assert (answer.status_code, refused(answer).error.code) == (status, code)


def test_a_refusal_is_a_problem_document_whose_type_is_an_explanation(client: TestClient) -> None:
    answer = client.post("/v1/encode?size=65x32", content=picture(), headers={"X-Request-Id": "request-1"})

    document = refused(answer)
    assert document.title == "Request invalid"
    assert document.request_id == "request-1"
    assert document.detail.startswith("size: ")
    assert [error.param for error in document.errors] == ["size"]
    assert (document.error.type, document.error.param) == ("invalid_request_error", "size")
    assert document.type == "http://testserver/problems/request_invalid"
    assert client.get(document.type).json() == {
        "code": "request_invalid",
        "status": 422,
        "title": "Request invalid",
        "cause": "A parameter is missing or malformed, or the body is not a token grid.",
        "remedy": "Compare the request with the service's OpenAPI document.",
    }


def test_an_internal_error_is_a_problem_document_without_details(model_folder: Path) -> None:
    app = create_app(TokenizerServiceSettings(model=str(model_folder), device="cpu"))
    with TestClient(app, raise_server_exceptions=False) as client:
        asyncio.run(app.state.service.close())
        answer = client.post("/v1/decode", json={"height": 1, "width": 1, "tokens": [0]})
    assert (answer.status_code, refused(answer).error.code) == (500, "internal_error")
    assert "shutdown" not in answer.text


def test_every_code_is_explained(client: TestClient) -> None:
    explained = client.get("/problems").json()
    assert {"image_unreadable", "service_busy", "not_found"} <= {entry["code"] for entry in explained}
    for entry in explained:
        assert 400 <= entry["status"] < 600
        assert entry["cause"].endswith(".")
        assert entry["remedy"].endswith(".")
    unknown = client.get("/problems/unheard_of")
    assert (unknown.status_code, refused(unknown).error.code) == (404, "not_found")


@pytest.mark.parametrize("query", ["", "?size=64x32&fit=64", "?size=65x32", "?fit=7"])
def test_an_ambiguous_or_invalid_size_is_refused(client: TestClient, query: str) -> None:
    answer = client.post(f"/v1/encode{query}", content=picture())
    assert (answer.status_code, refused(answer).error.code) == (422, "request_invalid")


def test_codes_outside_the_codebook_are_refused(client: TestClient) -> None:
    answer = client.post("/v1/decode", json={"height": 1, "width": 1, "tokens": [CODES]})
    assert (answer.status_code, refused(answer).error.code) == (422, "token_out_of_range")


@pytest.mark.parametrize("body", [b"", b"{}", b"LTG1 and something else"])
def test_a_body_that_is_not_a_grid_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/decode", content=body)
    assert (answer.status_code, refused(answer).error.code) == (422, "request_invalid")


def test_a_long_body_is_refused_before_it_is_read_to_its_end(model_folder: Path) -> None:
    settings = TokenizerServiceSettings(model=str(model_folder), max_upload_bytes=1024)
    with TestClient(create_app(settings)) as client:
        answer = client.post("/v1/encode?size=64x32", content=bytes(2000))
    assert (answer.status_code, refused(answer).error.code) == (413, "body_too_large")


def test_an_unknown_address_is_a_problem_document_too(client: TestClient) -> None:
    answer = client.get("/v1/nothing")
    assert (answer.status_code, refused(answer).error.code) == (404, "not_found")


def test_health_readiness_and_the_model_are_reported(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready, model = client.get("/readyz").json(), client.get("/v1/model").json()
    assert ready["tokenizer"] == model["tokenizer"]
    assert (model["codes"], model["cell"]) == (CODES, 8)
    assert type(model["cell"]) is int
    assert model["decode_seconds_per_code"] > 0


def test_metrics_count_requests_and_refusals(client: TestClient) -> None:
    client.post("/v1/decode", json={"height": 4, "width": 8, "tokens": list(GRID.tokens)})
    client.post("/v1/encode?size=64x32", content=b"nothing")
    text = client.get("/metrics").text
    assert 'luminary_tokenizer_request_seconds_count{operation="decode"}' in text
    assert 'luminary_tokenizer_problems_total{code="image_format_unsupported"}' in text
    assert "luminary_tokenizer_batch_size_bucket" in text


def test_a_request_that_does_not_wait_gets_an_address_of_the_later_result(client: TestClient) -> None:
    grid = TokenGrid(4, 8, tuple(range(32, 64)))
    asked = {"content": grid.to_bytes(), "headers": {"Content-Type": GRID_TYPE, "Prefer": "wait=0"}}
    first = client.post("/v1/decode", **asked)
    assert first.status_code == 202
    assert first.headers["location"] == f"/v1/undertakings/{first.json()['id']}"
    assert first.json()["state"] in {"queued", "running"}
    result = client.get(first.headers["location"], headers={"Prefer": "wait=30"})
    assert result.headers["content-type"] == "image/png"
    assert client.post("/v1/decode", **asked).content == result.content


def test_unknown_work_is_not_found(client: TestClient) -> None:
    answer = client.get("/v1/undertakings/decode-0")
    assert (answer.status_code, refused(answer).error.code) == (404, "not_found")
