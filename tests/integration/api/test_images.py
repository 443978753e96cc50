"""Upload, description and download of pictures."""

import base64
import hashlib
import io
from collections.abc import Callable

import pytest
from PIL import Image as Picture
from sqlalchemy import func, update

from services.api.images.files import picture_problem
from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.pictures.errors import DecodersBusyError
from shared.tables import Image, JobRequestRow
from tests.support.gateway.clients import Project, assert_problem, encoded, png


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_an_uploaded_picture_is_described_and_comes_back_byte_by_byte(alice: Project) -> None:
    data = encoded("JPEG", 64, 48)
    answer = alice.upload(data)
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"http://testserver/v1/images/{body['id']}"
    assert (body["media_type"], body["width"], body["height"], body["byte_size"], body["origin"]) == (
        "image/jpeg",
        64,
        48,
        len(data),
        "uploaded",
    )
    assert body["sha256"] == hashlib.sha256(data).hexdigest()
    assert alice.get(answer.headers["location"]).json() == body
    content = alice.get(body["url"])
    assert (content.content, content.headers["content-type"]) == (data, "image/jpeg")
    assert content.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in content.headers["cache-control"]
    same = alice.get(body["url"], {"If-None-Match": content.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize("in_json", [data_url, lambda data: base64.b64encode(data).decode()])
def test_a_picture_may_come_in_json(alice: Project, in_json: Callable[[bytes], str]) -> None:
    answer = alice.post("/v1/images", json={"image": in_json(png())})
    assert answer.status_code == 201
    assert alice.get(answer.json()["url"]).content == png()


@pytest.mark.parametrize("data", [b"no picture", png()[:60], b""])
def test_what_is_no_whole_picture_is_not_stored(alice: Project, database: Database, data: bytes) -> None:
    assert_problem(alice.upload(data), ProblemCode.IMAGE_UNREADABLE, "image")
    with database.transaction() as session:
        assert session.query(Image).count() == 0


@pytest.mark.parametrize("image", ["data:image/png;base64,****", "?", "data:,"])
def test_base64_that_is_none_is_unreadable(alice: Project, image: str) -> None:
    assert_problem(alice.post("/v1/images", json={"image": image}), ProblemCode.IMAGE_UNREADABLE, "image")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/a.png",
        "http://localhost/a.png",
        "http://169.254.169.254/latest",
        "http://2130706433/",
    ],
)
def test_a_url_into_our_own_network_is_not_fetched(alice: Project, url: str) -> None:
    answer = alice.post("/v1/images", json={"image": url})
    assert_problem(answer, ProblemCode.IMAGE_URL_FORBIDDEN, "image")
    job = alice.submit(task="edit", image=url)
    assert_problem(job, ProblemCode.IMAGE_URL_FORBIDDEN, "image")


def test_a_url_without_a_host_behind_it_is_unavailable(alice: Project) -> None:
    answer = alice.post("/v1/images", json={"image": "http://nowhere.invalid/a.png"})
    assert_problem(answer, ProblemCode.IMAGE_UNAVAILABLE, "image")


def test_a_decompression_bomb_is_refused(alice: Project) -> None:
    buffer = io.BytesIO()
    Picture.new("1", (20_000, 20_000)).save(buffer, "PNG")
    assert_problem(alice.upload(buffer.getvalue()), ProblemCode.IMAGE_TOO_LARGE, "image")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"image": 5}', b'{"picture": "x"}', b"[" * 50_000])
def test_json_that_names_no_picture_is_refused(alice: Project, body: bytes) -> None:
    answer = alice.post("/v1/images", {"Content-Type": "application/json"}, content=body)
    assert answer.status_code in {400, 422}
    assert_problem(answer, ProblemCode(answer.json()["error"]["code"]), answer.json()["error"]["param"])


def test_a_form_without_a_file_and_another_kind_of_body_are_refused(alice: Project) -> None:
    no_file = alice.post("/v1/images", files={"picture": ("a.png", png())})
    assert_problem(no_file, ProblemCode.INVALID_REQUEST, "file")
    broken = alice.post(
        "/v1/images", {"Content-Type": "multipart/form-data; boundary=x"}, content=b"nonsense"
    )
    assert_problem(broken, ProblemCode.MALFORMED_REQUEST)
    other = alice.post("/v1/images", {"Content-Type": "text/plain"}, content=b"hello")
    assert_problem(other, ProblemCode.UNSUPPORTED_MEDIA_TYPE)


def test_a_picture_that_is_too_long_is_refused(alice: Project) -> None:
    assert_problem(alice.upload(b"x" * 2_100_000), ProblemCode.BODY_TOO_LARGE)


def test_a_picture_whose_bytes_were_removed_is_gone(alice: Project, database: Database) -> None:
    image = alice.upload(png()).json()
    with database.transaction() as session:
        session.execute(update(Image).values(deleted_at=func.now()))
    assert_problem(alice.get(image["url"]), ProblemCode.IMAGE_EXPIRED)
    assert_problem(alice.submit(task="edit", image=image["id"]), ProblemCode.IMAGE_EXPIRED, "image")


def test_a_job_keeps_the_id_of_a_picture_and_not_the_picture(alice: Project, database: Database) -> None:
    half = Picture.new("L", (96, 64))
    half.paste(255, (0, 0, 48, 64))
    mask = io.BytesIO()
    half.save(mask, "PNG")
    body = alice.submit(task="edit", image=data_url(png()), mask=data_url(mask.getvalue())).json()
    with database.transaction() as session:
        request = session.query(JobRequestRow).one().request
        stored = {image.width for image in session.query(Image)}
    assert stored == {48, 96}
    for name in ("image", "mask"):
        assert request[name] == body["request"][name]
        assert alice.get(f"/v1/images/{request[name]}").status_code == 200


def test_a_mask_that_cannot_be_read_is_named(alice: Project) -> None:
    answer = alice.submit(task="edit", image=data_url(png()), mask=data_url(b"no picture"))
    assert_problem(answer, ProblemCode.IMAGE_UNREADABLE, "mask")


def test_a_jpeg_that_repeats_its_last_scan_is_too_complex(alice: Project) -> None:
    """Fixed bug: each scan of 59 bytes cost 25 ms of decoding, without a limit."""
    whole = encoded("JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    repeated = whole[:-2] + whole[last:-2] * 1000 + whole[-2:]
    assert_problem(alice.upload(repeated), ProblemCode.IMAGE_TOO_COMPLEX, "image")


def test_busy_decoders_are_told_with_the_time_to_come_back() -> None:
    problem = picture_problem(DecodersBusyError("16 pictures are already waiting to be decoded"))
    assert (problem.code, problem.headers) == (ProblemCode.DECODERS_BUSY, {"Retry-After": "2"})
