"""Expired pictures over HTTP: what is shown of them, which can be restored, and which can be edited."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.job_store.restore import RestoreError, finish_restore, give_up_restore, take_restore
from shared.settings import RetentionSettings
from shared.storage import StoredObject
from shared.tables import Image, ImageTokens, JobRequestRow
from shared.tables import Project as ProjectRow
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.sessions import Json, tree

STATE = ("expired", "restorable", "restoring", "restore_error")


def expire(database: Database) -> None:
    """Mark all pictures as an io worker does that has deleted their files."""
    with database.transaction() as session:
        session.execute(update(Image).values(deleted_at=func.clock_timestamp()))


def state(project: Project, image: str) -> tuple[object, ...]:
    """What the API shows of the picture's file."""
    answer = project.get(f"/v1/images/{image}")
    assert answer.status_code == 200, answer.text
    return tuple(answer.json()[name] for name in STATE)


def picture_of(session: Json) -> str:
    """The id of the session's drawn picture."""
    return session["turns"][0]["candidates"][0]["image_id"]


def test_an_expired_picture_is_restored_on_request(alice: Project, database: Database, drawn: Json) -> None:
    image = picture_of(drawn)
    path = f"/v1/images/{image}/restore"
    assert state(alice, image) == (False, False, False, None)
    assert alice.post(path).status_code == 200, "its file is there"
    expire(database)
    assert state(alice, image) == (True, True, False, None)
    shown = tree(alice, drawn)["turns"][0]
    assert (shown["candidates"][0]["expired"], shown["candidates"][0]["restorable"]) == (True, True)
    [output] = alice.get(f"/v1/jobs/{shown['job_id']}").json()["outputs"]
    assert (output["expired"], output["restorable"]) == (True, True)
    assert_problem(alice.get(f"/v1/images/{image}/content"), ProblemCode.IMAGE_EXPIRED)

    asked, repeated = alice.post(path), alice.post(path)

    assert (asked.status_code, repeated.status_code) == (202, 202)
    assert asked.json() == repeated.json()
    assert asked.headers["location"].endswith(f"/v1/images/{image}")
    assert "retry-after" in asked.headers
    assert state(alice, image) == (True, True, True, None)
    with database.transaction() as session:
        taken = take_restore(session, 60.0)
        assert taken is not None
        assert finish_restore(session, taken, StoredObject("a/b.png", bytes(32), 9), RetentionSettings())
    assert state(alice, image) == (False, False, False, None)
    assert (shown["id"], shown["parent"]) == (drawn["turns"][0]["id"], drawn["turns"][0]["parent"])


def test_a_restore_that_failed_says_why_and_can_be_repeated(
    alice: Project, database: Database, drawn: Json
) -> None:
    image = picture_of(drawn)
    expire(database)
    alice.post(f"/v1/images/{image}/restore")
    with database.transaction() as session:
        taken = take_restore(session, 60.0)
        assert taken is not None
        assert give_up_restore(session, taken, RestoreError.OTHER_TOKENIZER)
    assert state(alice, image) == (True, True, False, "other_tokenizer")
    assert alice.post(f"/v1/images/{image}/restore").status_code == 202
    assert state(alice, image) == (True, True, True, None)


def test_an_upload_is_not_restored(alice: Project, bob: Project, database: Database) -> None:
    image = alice.upload(png()).json()["id"]
    expire(database)
    assert state(alice, image) == (True, False, False, None)
    refused = alice.post(f"/v1/images/{image}/restore")
    assert_problem(refused, ProblemCode.IMAGE_NOT_RESTORABLE, "image_id")
    assert_problem(bob.post(f"/v1/images/{image}/restore"), ProblemCode.NOT_FOUND, "image_id")


@pytest.mark.parametrize("deleted", ["turn", "session"])
def test_what_a_client_has_deleted_does_not_come_back(
    alice: Project, database: Database, drawn: Json, deleted: str
) -> None:
    image = picture_of(drawn)
    path = f"/v1/sessions/{drawn['id']}"
    path += f"/turns/{drawn['turns'][0]['id']}" if deleted == "turn" else ""
    assert alice.delete(f"{path}?confirm=1").status_code < 300
    expire(database)
    assert state(alice, image) == (True, False, False, None)
    assert_problem(alice.post(f"/v1/images/{image}/restore"), ProblemCode.IMAGE_NOT_RESTORABLE, "image_id")
    assert_problem(alice.submit(task="edit", image=image), ProblemCode.IMAGE_EXPIRED, "image")


@pytest.mark.parametrize(
    ("composed", "request_fields"),
    [
        (True, {"mask": "img_x"}),
        (True, {"keep_rows": 2, "composite": "exact"}),
        (False, {"mask": "img_x", "composite": "none"}),
        (False, {"keep_rows": 2}),
    ],
)
def test_a_picture_with_pixels_of_another_one_is_not_restored(
    alice: Project, database: Database, drawn: Json, *, composed: bool, request_fields: Json
) -> None:
    image = picture_of(drawn)
    expire(database)
    with database.transaction() as session:
        row = session.scalars(select(JobRequestRow)).one()
        row.request = {**row.request, **request_fields}
    assert state(alice, image) == (True, not composed, False, None)
    answer = alice.post(f"/v1/images/{image}/restore")
    assert answer.status_code == (409 if composed else 202)


def test_an_edit_starts_from_the_codes_of_an_expired_picture(
    alice: Project, database: Database, drawn: Json
) -> None:
    image = picture_of(drawn)
    candidate = drawn["turns"][0]["candidates"][0]["id"]
    expire(database)
    assert alice.submit(task="edit", image=image).status_code == 202
    assert alice.submit(task="edit", image=candidate).status_code == 202
    turn = {"prompt": "make it blue", "from": candidate}
    assert alice.post(f"/v1/sessions/{drawn['id']}/turns", json=turn).status_code == 202
    given = alice.upload(png()).json()["id"]
    refused = alice.submit(task="edit", image=given, mask=image)
    assert_problem(refused, ProblemCode.IMAGE_EXPIRED, "mask")
    with database.transaction() as session:
        session.query(ImageTokens).delete()
    assert_problem(alice.submit(task="edit", image=image), ProblemCode.IMAGE_EXPIRED, "image")


def test_a_picture_shows_when_it_expires(alice: Project, database: Database, drawn: Json) -> None:
    with database.transaction() as session:
        project = session.get_one(ProjectRow, alice.project_id)
        project.retain_uploads_seconds = 3600
    uploaded = alice.upload(png()).json()
    assert state(alice, uploaded["id"])[0] is False
    times = [datetime.fromisoformat(uploaded[name]) for name in ("created_at", "expires_at")]
    assert times[1] - times[0] == timedelta(hours=1)
    assert alice.get(f"/v1/images/{picture_of(drawn)}").json()["expires_at"] is None
