"""The head of a session, and turns that wait for a running one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.ids import IdKind, parse_id
from shared.job_store import settle_overlooked_children
from shared.tables import Candidate, Job, JobRequestRow, SessionRow, Turn
from tests.support.factories import must_claim
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.sessions import (
    DATA_URL,
    Json,
    create,
    draw,
    fail,
    first_picture,
    head_of,
    post_turn,
    put_head,
    tree,
)

PARALLEL = 50


@pytest.mark.parametrize("source", ["upload", "data", "candidate", "job"])
def test_a_session_from_a_picture_has_it_as_its_root_and_head(
    alice: Project, drawn: Json, source: str
) -> None:
    candidate = drawn["turns"][0]["candidates"][0]
    image = {
        "upload": alice.upload(png(64, 64)).json()["id"],
        "data": DATA_URL,
        "candidate": candidate["id"],
        "job": drawn["turns"][0]["job_id"],
    }[source]
    session = create(alice, image=image)
    assert session["root_image_id"] == session["head"]["image_id"]
    if source in {"candidate", "job"}:
        assert session["root_image_id"] == candidate["image_id"]
    turn = post_turn(alice, session)
    assert (turn["task"], turn["parent"]) == (
        "edit",
        {"turn_id": None, "candidate_id": None, "image_id": session["root_image_id"]},
    )
    assert turn["job"]["request"]["image"] == session["root_image_id"]


def test_a_turn_starts_from_the_head_and_keeps_the_pictures_tokens(
    alice: Project, drawn: Json, database: Database
) -> None:
    turn = post_turn(alice, drawn)
    picture = drawn["turns"][0]["candidates"][0]
    assert turn["parent"] == {
        "turn_id": drawn["turns"][0]["id"],
        "candidate_id": picture["id"],
        "image_id": picture["image_id"],
    }
    assert turn["job"]["request"]["image"] == picture["image_id"]
    draw(database)
    after = tree(alice, drawn)
    assert head_of(after) == first_picture(after["turns"][1])


def test_two_turns_from_one_head_both_stay_and_the_head_follows_the_one_posted_last(
    alice: Project, drawn: Json, database: Database
) -> None:
    first, second = post_turn(alice, drawn, name="a"), post_turn(alice, drawn, name="b")
    assert first["parent"] == second["parent"]
    draw(database)
    assert head_of(tree(alice, drawn)) == head_of(drawn)
    draw(database)
    after = tree(alice, drawn)
    assert [turn["name"] for turn in after["turns"]] == [None, "a", "b"]
    assert head_of(after) == first_picture(after["turns"][2])


def test_a_head_that_a_client_has_moved_stays_when_a_turn_is_done(
    alice: Project, drawn: Json, database: Database
) -> None:
    post_turn(alice, drawn)
    moved = put_head(alice, drawn, head_of(drawn))
    draw(database)
    after = tree(alice, drawn)
    assert (head_of(after), after["head"]["version"]) == (head_of(drawn), moved["version"])


def test_undo_and_redo_walk_along_the_branch(alice: Project, drawn: Json, database: Database) -> None:
    post_turn(alice, drawn)
    draw(database)
    last = head_of(tree(alice, drawn))
    path = f"/v1/sessions/{drawn['id']}/head"
    assert alice.post(f"{path}/undo").json()["candidate_id"] == head_of(drawn)
    begin = alice.post(f"{path}/undo").json()
    assert (begin["candidate_id"], begin["image_id"], begin["can_undo"], begin["can_redo"]) == (
        None,
        None,
        False,
        True,
    )
    assert_problem(alice.post(f"{path}/undo"), ProblemCode.NOTHING_TO_UNDO, None)
    assert alice.post(f"{path}/redo").json()["candidate_id"] == head_of(drawn)
    assert alice.post(f"{path}/redo").json()["candidate_id"] == last
    assert_problem(alice.post(f"{path}/redo"), ProblemCode.NOTHING_TO_REDO, None)


def test_a_move_of_the_head_ends_what_redo_remembers(alice: Project, drawn: Json) -> None:
    path = f"/v1/sessions/{drawn['id']}/head"
    alice.post(f"{path}/undo")
    put_head(alice, drawn, head_of(drawn))
    assert_problem(alice.post(f"{path}/redo"), ProblemCode.NOTHING_TO_REDO, None)


def test_if_match_refuses_a_turn_and_a_move_after_the_head_has_moved(
    alice: Project, drawn: Json, database: Database
) -> None:
    tag = alice.get(f"/v1/sessions/{drawn['id']}/head").headers["etag"]
    turns = f"/v1/sessions/{drawn['id']}/turns"
    assert alice.post(turns, {"If-Match": tag}, json={"prompt": "add a tree"}).status_code == 202
    draw(database)
    for other in (tag, "0", "null", f"W/{tag}", "a"):
        refused = alice.post(turns, {"If-Match": other}, json={"prompt": "add a tree"})
        assert_problem(refused, ProblemCode.HEAD_MOVED, "If-Match")
    assert len(tree(alice, drawn)["turns"]) == 2
    undone = alice.post(f"/v1/sessions/{drawn['id']}/head/undo", {"If-Match": tag})
    assert_problem(undone, ProblemCode.HEAD_MOVED, "If-Match")
    assert undone.headers["etag"] == alice.get(f"/v1/sessions/{drawn['id']}/head").headers["etag"]


def test_a_turn_below_a_running_turn_waits_for_its_picture(
    alice: Project, drawn: Json, database: Database
) -> None:
    first = post_turn(alice, drawn)
    second = post_turn(alice, drawn, **{"from": first["id"]}, prompt="add a cloud")
    third = post_turn(alice, drawn, **{"from": second["id"]}, prompt="add a sun")
    assert (second["blocked_by"], third["blocked_by"]) == (first["id"], second["id"])
    assert second["job"]["queue_position"] is None
    draw(database)
    after = tree(alice, drawn)["turns"]
    assert (after[2]["blocked_by"], after[3]["blocked_by"]) == (None, second["id"])
    assert after[2]["parent"]["candidate_id"] == first_picture(after[1])
    request = alice.get(f"/v1/jobs/{second['job_id']}").json()["request"]
    assert request["image"] == after[1]["candidates"][0]["image_id"]
    draw(database)
    draw(database)
    assert [turn["status"] for turn in tree(alice, drawn)["turns"]] == ["succeeded"] * 4


def test_turns_below_a_turn_without_a_picture_are_canceled_and_say_why(
    alice: Project, drawn: Json, database: Database
) -> None:
    first = post_turn(alice, drawn)
    second = post_turn(alice, drawn, **{"from": first["id"]})
    post_turn(alice, drawn, **{"from": second["id"]})
    fail(database)
    states = [(turn["status"], (turn["error"] or {}).get("code")) for turn in tree(alice, drawn)["turns"]]
    assert states == [
        ("succeeded", None),
        ("failed", "invalid_request"),
        ("canceled", "parent_without_picture"),
        ("canceled", "parent_without_picture"),
    ]
    assert head_of(tree(alice, drawn)) == head_of(drawn)


def test_a_job_can_wait_for_another_jobs_picture_without_a_session(
    alice: Project, bob: Project, database: Database
) -> None:
    parent = alice.submit().json()
    child = alice.submit(task="edit", image=parent["id"]).json()
    assert (child["queue_position"], child["request"]["image"]) == (None, parent["id"])
    assert_problem(bob.submit(task="edit", image=parent["id"]), ProblemCode.INVALID_REQUEST, "image")
    draw(database)
    assert must_claim(database).request["image"].startswith("img_")


def test_a_canceled_parent_cancels_its_child(alice: Project) -> None:
    parent = alice.submit().json()
    child = alice.submit(task="edit", image=parent["id"]).json()
    alice.post(f"/v1/jobs/{parent['id']}/cancel")
    ended = alice.get(f"/v1/jobs/{child['id']}").json()
    assert (ended["status"], ended["error"]["code"]) == ("canceled", "parent_without_picture")


def test_fifty_parallel_turns_on_one_head_leave_a_whole_tree_and_a_legal_head(
    alice: Project, drawn: Json, database: Database
) -> None:
    path = f"/v1/sessions/{drawn['id']}/turns"

    def post(number: int) -> int:
        return alice.post(path, json={"prompt": f"add tree {number}"}).status_code

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(post, range(PARALLEL))) == {202}
    for _ in range(PARALLEL):
        draw(database)
    after = tree(alice, drawn)
    assert [turn["number"] for turn in after["turns"]] == list(range(1, PARALLEL + 2))
    assert {turn["parent"]["candidate_id"] for turn in after["turns"][1:]} == {head_of(drawn)}
    assert head_of(after) == first_picture(after["turns"][-1])
    with database.transaction() as session:
        row = session.scalars(select(SessionRow)).one()
        turns = session.scalars(select(Turn)).all()
        heads = select(Candidate.id).where(Candidate.job_id.in_([turn.job_id for turn in turns]))
        orphans = select(Turn.id).where(Turn.parent_job_id.is_not(None), Turn.parent_candidate_id.is_(None))
        assert row.head_candidate_id in set(session.scalars(heads))
        assert (row.last_number, row.head_version, row.head_follows) == (PARALLEL + 1, 3, None)
        assert session.scalars(orphans).all() == []


def test_a_child_of_a_parent_that_an_older_worker_has_ended_is_started_by_the_sweeper(
    alice: Project, database: Database
) -> None:
    parent = alice.submit().json()
    child = alice.submit(task="edit", image=parent["id"]).json()
    draw(database)
    with database.transaction() as session:
        row = session.get_one(Job, parse_id(IdKind.JOB, child["id"]))
        row.blocked_by = parse_id(IdKind.JOB, parent["id"])
        request = session.get_one(JobRequestRow, row.id)
        request.request = {**request.request, "image": parent["id"]}
    with database.transaction() as session:
        settle_overlooked_children(session)
    assert must_claim(database).request["image"].startswith("img_")
