"""Controls of cells at the gateway: sizes follow the canvas, and what is impossible is refused at once."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_store import succeed_job
from shared.tables import Image
from shared.token_grid import TokenGrid
from tests.support.factories import must_claim, one_picture
from tests.support.gateway.clients import Project, assert_problem, png

Drawn = dict[str, Any]


def draw(project: Project, database: Database, **fields: Any) -> Drawn:
    """A succeeded job with one picture of 64x64 pixels; its row says so, its file is not stored."""
    job = project.submit(**fields).json()
    answer = one_picture()
    [output] = answer.outputs
    grid = TokenGrid(8, 8, tuple(range(64)))
    stored = replace(output.image, storage_key=f"prj/{job['id']}.png", width=64, height=64)
    whole = replace(output, image=stored, grid=grid, certainty=bytes(128))
    with database.transaction() as session:
        succeed_job(session, must_claim(database).lease, replace(answer, outputs=(whole,)))
    return project.get(job["links"]["self"]).json()


@pytest.fixture
def canvas(alice: Project, database: Database) -> str:
    return draw(alice, database)["outputs"][0]["id"]


def test_the_result_has_the_size_of_the_canvas(alice: Project, database: Database) -> None:
    drawn = draw(alice, database)["outputs"][0]
    kept = alice.submit(keep_from=drawn["candidate_id"], keep_rows=3).json()["request"]
    assert (kept["size"], kept["keep_from"]) == ("64x64", drawn["id"])
    larger = alice.submit(keep_from=drawn["id"], extend={"right": 4, "bottom": 8}).json()["request"]
    assert larger["size"] == "96x128"
    region = {"image": drawn["candidate_id"], "x": 0, "y": 0, "width": 8, "height": 8}
    pasted = alice.submit(region_from=[region]).json()["request"]
    assert (pasted["size"], pasted["region_from"][0]["image"]) == ("64x64", drawn["id"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"keep_rows": 8}, "keep_rows"),
        ({"keep_rows": 2, "size": "128x64"}, "size"),
        ({"keep_rows": 2, "aspect_ratio": "1:1"}, "aspect_ratio"),
        ({}, "keep_from"),
        ({"extend": {"top": 4}}, "extend.top"),
        ({"extend": {"left": 4}}, "extend.left"),
        ({"extend": {}}, "extend"),
        ({"extend": {"right": 3}}, "extend"),
        ({"extend": {"right": 508}}, "extend"),
        ({"extend": {"right": 4}, "keep_rows": 2}, "keep_rows"),
        ({"extend": {"right": 4}, "variation_strength": 0.5}, "variation_strength"),
        ({"variation_strength": 0}, "variation_strength"),
        ({"task": "dense", "prompt": None, "target": "depth", "extend": {"right": 4}}, "extend"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused_by_its_field(
    alice: Project, canvas: str, fields: dict[str, Any], param: str
) -> None:
    given = {"image": canvas} if fields.get("task") else {}
    assert_problem(alice.submit(keep_from=canvas, **given, **fields), ProblemCode.INVALID_REQUEST, param)


def test_an_edit_that_keeps_every_row_of_its_picture_is_refused_at_once(alice: Project, canvas: str) -> None:
    answer = alice.submit(task="edit", image=canvas, keep_rows=8)
    assert_problem(answer, ProblemCode.INVALID_REQUEST, "keep_rows")


def test_the_cells_of_an_expired_picture_can_be_kept(alice: Project, canvas: str, database: Database) -> None:
    """Fixed bug: an edit from the codes of an expired picture was refused once it kept cells."""
    with database.transaction() as session:
        session.get_one(Image, parse_id(IdKind.IMAGE, canvas)).deleted_at = func.now()
    region = {"image": canvas, "x": 0, "y": 0, "width": 8, "height": 8}
    requests: list[dict[str, Any]] = [
        {"task": "edit", "image": canvas, "variation_strength": 0.5},
        {"keep_from": canvas, "keep_rows": 2},
        {"region_from": [region]},
    ]
    for fields in requests:
        assert alice.submit(**fields).status_code == 202


def test_a_region_lies_inside_a_drawn_picture_of_the_same_size(alice: Project, canvas: str) -> None:
    photo = alice.upload(png()).json()["id"]
    inside = {"x": 0, "y": 0, "width": 8, "height": 8}
    for region in ({"image": canvas, **inside, "x": 60}, {"image": photo, **inside}):
        answer = alice.submit(region_from=[region])
        assert_problem(answer, ProblemCode.INVALID_REQUEST, "region_from")
    answer = alice.submit(region_from=[{"image": canvas, **inside}], size="128x64")
    assert_problem(answer, ProblemCode.INVALID_REQUEST, "size")


def test_uploads_are_neither_extended_nor_varied(alice: Project) -> None:
    photo = alice.upload(png()).json()["id"]
    controls: dict[str, Any] = {"extend": {"right": 4}, "variation_strength": 0.5}
    for name, value in controls.items():
        answer = alice.submit(keep_from=photo, **{name: value})
        assert_problem(answer, ProblemCode.INVALID_REQUEST, name)


def test_another_projects_pictures_cannot_be_kept(alice: Project, bob: Project, database: Database) -> None:
    drawn = draw(alice, database)["outputs"][0]
    region = {"x": 0, "y": 0, "width": 8, "height": 8}
    for image in (drawn["id"], drawn["candidate_id"]):
        refused = bob.submit(keep_from=image, keep_rows=2)
        assert_problem(refused, ProblemCode.INVALID_REQUEST, "keep_from")
        refused = bob.submit(region_from=[{"image": image, **region}])
        assert_problem(refused, ProblemCode.INVALID_REQUEST, "region_from")


@pytest.mark.parametrize("control", ["mask", "keep_rows", "variation_strength", "extend"])
def test_a_new_picture_needs_a_canvas(alice: Project, control: str) -> None:
    values: dict[str, Any] = {"mask": alice.upload(png()).json()["id"], "extend": {"right": 4}}
    answer = alice.submit(**{control: values.get(control, 1)})
    assert_problem(answer, ProblemCode.INVALID_REQUEST, control)


def test_a_replay_says_where_codes_differ_and_who_drew_them(alice: Project, database: Database) -> None:
    first = draw(alice, database)
    assert alice.get(first["links"]["self"]).json()["replay"] is None
    queued = alice.post(first["links"]["replay"])
    assert queued.status_code == 202
    assert queued.json()["request"] == first["request"]
    assert queued.json()["replay"] == {
        "of": first["id"],
        "equal": None,
        "numerics": None,
        "differences": [],
    }
    finish(database, tuple(range(64)))
    assert alice.get(queued.json()["links"]["self"]).json()["replay"]["equal"] is True

    other = alice.post(first["links"]["replay"]).json()
    finish(database, (*range(60), 0, 61, 0, 63))
    told = alice.get(other["links"]["self"]).json()["replay"]
    assert (told["equal"], told["of"]) == (False, first["id"])
    assert told["differences"] == [{"index": 0, "cells": 2, "row": 7, "column": 4}]


def finish(database: Database, codes: tuple[int, ...]) -> None:
    answer = one_picture()
    [output] = answer.outputs
    with database.transaction() as session:
        claimed = must_claim(database)
        stored = replace(output.image, storage_key=f"prj/{claimed.lease.job_id}.png")
        drawn = replace(output, image=stored, grid=TokenGrid(8, 8, codes))
        succeed_job(session, claimed.lease, replace(answer, outputs=(drawn,)))


def test_a_job_without_pictures_is_not_replayed(alice: Project, bob: Project) -> None:
    path = alice.submit().headers["location"]
    assert_problem(alice.post(f"{path}/replay"), ProblemCode.JOB_NOT_REPLAYABLE, "job_id")
    assert bob.post(f"{path}/replay").status_code == 404


def test_a_replay_is_queued_once_for_a_key(alice: Project, database: Database) -> None:
    path = draw(alice, database)["links"]["replay"]
    first, again = (alice.post(path, {"Idempotency-Key": "again"}) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert parse_id(IdKind.JOB, first.json()["id"])
