"""Pictures in other formats, and their thumbnails; the stored file never changes."""

import io
from typing import Any

import pytest
from PIL import Image as Picture
from sqlalchemy import select, update

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_store import succeed_job
from shared.job_store.clock import time_after
from shared.storage import ObjectMissingError, ObjectStorage, thumbnail_key
from shared.tables import Image
from tests.support.factories import must_claim, one_picture
from tests.support.gateway.clients import Project, assert_problem, png


@pytest.fixture
def storage(gateway_settings: GatewayProcessSettings) -> ObjectStorage:
    """A client of the gateway's bucket prefix."""
    return ObjectStorage(gateway_settings.storage)


def key_of(database: Database, image: str) -> str:
    with database.transaction() as session:
        statement = select(Image.storage_key).where(Image.id == parse_id(IdKind.IMAGE, image))
        return session.scalars(statement).one()


@pytest.mark.parametrize("name", ["webp", "jpeg", "png"])
def test_a_picture_comes_in_the_format_that_is_asked_for(alice: Project, name: str) -> None:
    uploaded = alice.upload(png(64, 48)).json()
    answer = alice.get(f"{uploaded['url']}?format={name}")
    picture = Picture.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], picture.format, picture.size) == (
        f"image/{name}",
        name.upper(),
        (64, 48),
    )
    extension = {"jpeg": "jpg"}.get(name, name)
    assert answer.headers["content-disposition"].endswith(f'{uploaded["id"]}.{extension}"')
    assert "immutable" in answer.headers["cache-control"]
    same = alice.get(f"{uploaded['url']}?format={name}", {"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_the_format_of_the_stored_file_is_the_stored_file(alice: Project) -> None:
    uploaded = alice.upload(png(64, 48)).json()
    assert alice.get(f"{uploaded['url']}?format=png").content == png(64, 48)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("quality=80", "quality"),
        ("format=png&quality=80", "quality"),
        ("format=webp&quality=0", "quality"),
        ("format=webp&quality=101", "quality"),
        ("format=gif", "format"),
    ],
)
def test_a_conversion_that_does_not_exist_is_refused(alice: Project, query: str, param: str) -> None:
    uploaded = alice.upload(png()).json()
    assert_problem(alice.get(f"{uploaded['url']}?{query}"), ProblemCode.INVALID_REQUEST, param)


def test_a_thumbnail_is_made_once_and_kept(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    uploaded = alice.upload(png(640, 320)).json()
    first = alice.get(uploaded["thumbnail_url"])
    picture = Picture.open(io.BytesIO(first.content))
    assert (first.headers["content-type"], picture.format, picture.size) == (
        "image/webp",
        "WEBP",
        (256, 128),
    )
    key = key_of(database, uploaded["id"])
    assert storage.get(thumbnail_key(key)) == first.content
    storage.delete(key)
    assert alice.get(uploaded["thumbnail_url"]).content == first.content


def test_outputs_link_to_the_format_that_the_job_names(alice: Project, database: Database) -> None:
    path = alice.submit(output_format="webp", output_quality=80).headers["location"]
    plain = alice.submit().headers["location"]
    for _ in range(2):
        with database.transaction() as session:
            succeed_job(session, must_claim(database).lease, one_picture())
    [output] = alice.get(path).json()["outputs"]
    base = f"http://testserver/v1/images/{output['id']}"
    assert output["url"] == f"{base}/content?format=webp&quality=80"
    assert (output["png_url"], output["thumbnail_url"]) == (f"{base}/content", f"{base}/thumbnail")
    [output] = alice.get(plain).json()["outputs"]
    assert output["url"] == output["png_url"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"output_format": "gif"}, "output_format"),
        ({"output_quality": 80}, "output_quality"),
        ({"output_format": "png", "output_quality": 80}, "output_quality"),
        ({"output_format": "webp", "output_quality": 0}, "output_quality"),
    ],
)
def test_an_output_format_that_does_not_exist_is_refused(
    alice: Project, fields: dict[str, Any], param: str
) -> None:
    assert_problem(alice.submit(**fields), ProblemCode.INVALID_REQUEST, param)


@pytest.mark.parametrize("route", ["content?format=webp", "thumbnail"])
def test_the_picture_of_another_project_is_not_found_and_an_expired_one_is_gone(
    alice: Project, bob: Project, database: Database, route: str
) -> None:
    image = alice.upload(png()).json()["id"]
    assert_problem(bob.get(f"/v1/images/{image}/{route}"), ProblemCode.NOT_FOUND, "image_id")
    with database.transaction() as session:
        session.execute(update(Image).values(deleted_at=time_after(0)))
    assert_problem(alice.get(f"/v1/images/{image}/{route}"), ProblemCode.IMAGE_EXPIRED, "image_id")


def test_a_deleted_job_leaves_no_thumbnail(
    alice: Project, database: Database, storage: ObjectStorage
) -> None:
    path = alice.submit().headers["location"].removeprefix("http://testserver")
    with database.transaction() as session:
        succeed_job(session, must_claim(database).lease, one_picture())
    [output] = alice.get(path).json()["outputs"]
    key = key_of(database, output["id"])
    storage.put_once(key, png(300, 300), "image/png")
    assert alice.get(output["thumbnail_url"]).status_code == 200
    assert storage.get(thumbnail_key(key))
    assert alice.delete(path).status_code == 204
    with pytest.raises(ObjectMissingError):
        storage.get(thumbnail_key(key))
