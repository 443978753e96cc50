"""Sessions over HTTP: what is created, read, changed, listed and deleted, and who may see it."""

import pytest
from sqlalchemy import select

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.tables import Candidate, Image, Job, SessionRow, Turn
from tests.support.gateway.clients import Project, assert_problem
from tests.support.gateway.sessions import (
    DATA_URL,
    Json,
    create,
    draw,
    first_picture,
    head_of,
    listed,
    patch,
    post_turn,
    remove,
    tree,
)


def test_a_session_from_a_prompt_has_its_first_turn_and_follows_it(
    alice: Project, database: Database
) -> None:
    session = create(alice, title="House", prompt="a red house", seed=7, n=1)
    [turn] = session["turns"]
    assert (turn["number"], turn["task"], turn["prompt"]) == (1, "text_to_image", "a red house")
    assert (turn["status"], head_of(session)) == ("queued", None)
    draw(database)
    after = tree(alice, session)
    [turn] = after["turns"]
    assert (turn["status"], after["head"]["turn_id"]) == ("succeeded", turn["id"])
    assert head_of(after) == first_picture(turn)
    assert after["head"]["version"] == session["head"]["version"] + 1


def test_an_empty_session_draws_its_first_picture_with_a_turn(alice: Project) -> None:
    session = create(alice, title="nothing yet")
    assert (session["turns"], session["head"]["image_id"]) == ([], None)
    turn = post_turn(alice, session)
    assert (turn["task"], turn["parent"]["image_id"], turn["job"]["task"]) == (
        "text_to_image",
        None,
        "text_to_image",
    )


def test_a_session_with_a_picture_and_a_prompt_edits_the_picture_at_once(alice: Project) -> None:
    session = create(alice, image=DATA_URL, prompt="make it blue", metadata={"team": "a"})
    [turn] = session["turns"]
    assert (turn["task"], turn["parent"]["image_id"]) == ("edit", session["root_image_id"])
    assert session["metadata"] == {"team": "a"}
    assert (turn["metadata"], head_of(session)) == ({}, None)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"from": "root"}, "from"),
        ({"from": "cnd_00t8bh6ef7f1pv4b2d6m9qzs8x"}, "from"),
        ({"from": "turn_00t8bh6ef7f1pv4b2d6m9qzs8x"}, "from"),
        ({"from": "img_00t8bh6ef7f1pv4b2d6m9qzs8x"}, "from"),
        ({"task": "dense"}, "target"),
        ({"task": "control"}, "control"),
        ({"prompt": " "}, "prompt"),
        ({"n": 13}, "n"),
        ({"size": "63x64"}, "size"),
        ({"promt": "a"}, "promt"),
        ({"image": "img_00t8bh6ef7f1pv4b2d6m9qzs8x"}, "image"),
        ({"mask": "img_00t8bh6ef7f1pv4b2d6m9qzs8x"}, "mask"),
    ],
)
def test_a_turn_that_cannot_be_drawn_is_refused_and_leaves_nothing(
    alice: Project, drawn: Json, fields: Json, param: str
) -> None:
    answer = alice.post(f"/v1/sessions/{drawn['id']}/turns", json={"prompt": "add a tree", **fields})
    assert_problem(answer, ProblemCode.INVALID_REQUEST, param)
    assert tree(alice, drawn) == drawn


@pytest.mark.parametrize(
    "fields",
    [
        {"task": "text_to_image", "from": "root"},
        {"mask": DATA_URL, "from": "running"},
        {"image": DATA_URL, "from": "running"},
    ],
)
def test_impossible_combinations_are_refused(alice: Project, fields: Json) -> None:
    session = create(alice, image=DATA_URL)
    running = post_turn(alice, session)
    origin = running["id"] if fields["from"] == "running" else fields["from"]
    answer = alice.post(
        f"/v1/sessions/{session['id']}/turns", json={"prompt": "add a tree", **fields, "from": origin}
    )
    assert_problem(answer, ProblemCode.INVALID_REQUEST)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"image": "job_00t8bh6ef7f1pv4b2d6m9qzs8x"}, "image"),
        ({"image": "cnd_00t8bh6ef7f1pv4b2d6m9qzs8x"}, "image"),
        ({"size": "64x64"}, "size"),
        ({"title": "x" * 201}, "title"),
        ({"prompt": "a", "task": "dense"}, "image"),
    ],
)
def test_a_session_that_cannot_be_made_is_refused_and_leaves_nothing(
    alice: Project, database: Database, fields: Json, param: str
) -> None:
    assert_problem(alice.post("/v1/sessions", json=fields), ProblemCode.INVALID_REQUEST, param)
    with database.transaction() as session:
        assert session.scalars(select(SessionRow)).all() == []
        assert session.scalars(select(Job)).all() == []


def test_a_session_from_a_job_that_still_runs_is_refused(alice: Project) -> None:
    answer = alice.post("/v1/sessions", json={"image": alice.submit().json()["id"]})
    assert_problem(answer, ProblemCode.INVALID_REQUEST, "image")


def test_repeated_requests_with_one_key_make_one_session_and_one_turn(
    alice: Project, database: Database
) -> None:
    key = {"Idempotency-Key": "once"}
    for fields in ({"title": "a"}, {"prompt": "a red house"}):
        header = {"Idempotency-Key": f"once {fields}".replace(" ", "-")}
        first, again = (alice.post("/v1/sessions", header, json=fields) for _ in range(2))
        assert first.json() == again.json()
        assert again.headers["idempotent-replayed"] == "true"
    path = f"/v1/sessions/{first.json()['id']}/turns"
    body = {"task": "text_to_image", "prompt": "a"}
    turns = [alice.post(path, key, json=body).json()["id"] for _ in range(2)]
    assert turns[0] == turns[1]
    with database.transaction() as session:
        assert len(session.scalars(select(SessionRow)).all()) == 2
        assert len(session.scalars(select(Turn)).all()) == 2


def test_titles_notes_names_and_metadata_can_be_changed_and_emptied(alice: Project, drawn: Json) -> None:
    path = f"/v1/sessions/{drawn['id']}"
    changed = patch(alice, path, title="Villa", note="for Ann", metadata={"room": "1"})
    assert (changed["title"], changed["note"], changed["metadata"]) == ("Villa", "for Ann", {"room": "1"})
    assert changed["updated_at"] > drawn["updated_at"]
    assert patch(alice, path, note=None)["note"] is None
    turn = patch(alice, f"{path}/turns/{drawn['turns'][0]['id']}", name="first", note="good")
    assert (turn["name"], turn["note"]) == ("first", "good")
    assert tree(alice, drawn)["title"] == "Villa"


def test_candidates_can_be_starred(alice: Project, drawn: Json) -> None:
    path = f"/v1/sessions/{drawn['id']}/stars/{head_of(drawn)}"
    for _ in range(2):
        assert alice.client.put(path, headers=alice.authorization).status_code == 204
    assert tree(alice, drawn)["turns"][0]["candidates"][0]["starred"]
    assert [one["id"] for one in listed(alice, starred="true")] == [drawn["id"]]
    assert alice.client.delete(path, headers=alice.authorization).status_code == 204
    assert listed(alice, starred="true") == []


def test_sessions_are_listed_newest_first_in_pages_and_found_by_title_and_prompt(
    alice: Project, bob: Project
) -> None:
    made = [create(alice, title=f"number {index}") for index in range(3)]
    made.append(create(alice, prompt="a HOUSE with 100% wood_"))
    create(bob, title="number 9")
    assert [one["id"] for one in listed(alice)] == [one["id"] for one in reversed(made)]
    first = alice.get("/v1/sessions", params={"limit": 3}).json()
    assert first["has_more"]
    rest = alice.get("/v1/sessions", params={"after": first["next_cursor"]}).json()
    assert [one["id"] for one in rest["data"]] == [made[0]["id"]]
    assert [one["title"] for one in listed(alice, q="BER 1")] == ["number 1"]
    assert [one["id"] for one in listed(alice, q="100% wood_")] == [made[3]["id"]]
    assert listed(alice, q="100_ wood%") == []
    assert listed(alice, updated_after=made[1]["updated_at"])[-1]["id"] == made[2]["id"]


def test_a_large_tree_comes_in_pages_and_an_unchanged_one_without_a_body(alice: Project) -> None:
    session = create(alice)
    for _ in range(3):
        post_turn(alice, session)
    path = f"/v1/sessions/{session['id']}"
    page = alice.get(path, params={"limit": 2}).json()
    assert ([turn["number"] for turn in page["turns"]], page["next_cursor"]) == ([1, 2], 2)
    rest = alice.get(path, params={"after": 2}).json()
    assert ([turn["number"] for turn in rest["turns"]], rest["has_more"]) == ([3], False)
    tag = alice.get(path).headers["etag"]
    assert alice.get(path, {"If-None-Match": tag}).status_code == 304


def test_a_turn_is_deleted_with_its_branch_after_a_confirmation(
    alice: Project, drawn: Json, database: Database
) -> None:
    first = post_turn(alice, drawn)
    draw(database)
    post_turn(alice, drawn, **{"from": first["id"]})
    path = f"/v1/sessions/{drawn['id']}/turns/{first['id']}"
    refused = assert_problem(remove(alice, path), ProblemCode.CONFIRMATION_NEEDED, "confirm")
    assert "2 turns" in refused.detail
    assert remove(alice, path, confirm=2).status_code == 204
    after = tree(alice, drawn)
    assert [turn["number"] for turn in after["turns"]] == [1]
    assert head_of(after) == head_of(drawn)
    assert_problem(alice.get(path), ProblemCode.NOT_FOUND)
    with database.transaction() as session:
        jobs = session.scalars(select(Job.state).order_by(Job.id)).all()
        kept, gone = session.scalars(
            select(Image.expires_at).join(Candidate, Candidate.image_id == Image.id).order_by(Image.id)
        )
    assert list(jobs) == ["succeeded", "succeeded", "canceled"]
    assert (kept is None, gone is None) == (True, False)
    assert post_turn(alice, drawn)["number"] == 4


def test_a_deleted_session_is_gone_and_its_waiting_jobs_are_canceled(
    alice: Project, drawn: Json, database: Database
) -> None:
    post_turn(alice, drawn)
    path = f"/v1/sessions/{drawn['id']}"
    assert_problem(remove(alice, path, confirm=1), ProblemCode.CONFIRMATION_NEEDED, "confirm")
    assert remove(alice, path, confirm=2).status_code == 204
    assert_problem(alice.get(path), ProblemCode.NOT_FOUND)
    assert listed(alice) == []
    with database.transaction() as session:
        assert set(session.scalars(select(Job.state))) == {"succeeded", "canceled"}


def test_another_project_finds_nothing_of_a_session(alice: Project, bob: Project, drawn: Json) -> None:
    own = create(bob, title="mine")
    path, turn, candidate = f"/v1/sessions/{drawn['id']}", drawn["turns"][0]["id"], head_of(drawn)
    answers = [
        bob.get(path),
        bob.get(f"{path}/head"),
        bob.get(f"{path}/turns/{turn}"),
        bob.post(f"{path}/turns", json={"prompt": "a"}),
        bob.post(f"{path}/head/undo"),
        bob.post(f"{path}/head/redo"),
        bob.client.put(f"{path}/head", headers=bob.authorization, json={"candidate": candidate}),
        bob.client.patch(path, headers=bob.authorization, json={"title": "x"}),
        bob.client.patch(f"{path}/turns/{turn}", headers=bob.authorization, json={"name": "x"}),
        bob.client.put(f"{path}/stars/{candidate}", headers=bob.authorization),
        remove(bob, path, confirm=1),
        remove(bob, f"{path}/turns/{turn}", confirm=1),
    ]
    for answer in answers:
        assert_problem(answer, ProblemCode.NOT_FOUND)
    below = f"/v1/sessions/{own['id']}"
    for origin in (candidate, turn):
        answer = bob.post(f"{below}/turns", json={"prompt": "a", "from": origin})
        assert_problem(answer, ProblemCode.INVALID_REQUEST, "from")
    for image in (candidate, drawn["turns"][0]["job_id"], drawn["head"]["image_id"]):
        assert_problem(bob.post("/v1/sessions", json={"image": image}), ProblemCode.INVALID_REQUEST, "image")
    assert tree(alice, drawn) == drawn
