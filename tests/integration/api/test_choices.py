"""What a job may leave to the platform: the best of several candidates, and a size for an aspect ratio."""

from typing import Any

import pytest

from services.api.problems.codes import ProblemCode
from shared.database import Database
from shared.job_store import Answer, succeed_job
from shared.job_store.records import Output, StoredImage, UsageAmounts
from shared.tables import WorkerRow
from shared.token_grid import TokenGrid
from tests.support.factories import must_claim
from tests.support.gateway.clients import Project, assert_problem

SIZES = {"text_to_image": ["64x64", "96x64", "64x96"]}


def start_worker(database: Database) -> None:
    with database.transaction() as session:
        session.add(WorkerRow(id="a", queues=["generate"], slots=1, model={"name": "tiny", "sizes": SIZES}))


def test_a_job_shows_which_candidates_were_kept_and_all_scores(alice: Project, database: Database) -> None:
    path = alice.submit(n=2, best_of=3).headers["location"]
    assert alice.get(path).json()["request"]["best_of"] == 3
    outputs = [
        Output(
            StoredImage(f"prj/{index}.png", bytes(32), "image/png", 100, 16, 16),
            TokenGrid(2, 2, (1, 2, 3, index)),
            "tiny",
            score=score,
            drawn_index=index,
        )
        for index, score in ((2, 9.0), (0, 4.0))
    ]
    with database.transaction() as session:
        answer = Answer(tuple(outputs), UsageAmounts(3, 5, 12, 0.5), scores=(4.0, 1.0, 9.0))
        succeed_job(session, must_claim(database).lease, answer)
    body = alice.get(path).json()
    shown = [(output["index"], output["drawn_index"], output["score"]) for output in body["outputs"]]
    assert shown == [(0, 2, 9.0), (1, 0, 4.0)]
    assert body["scores"] == [4.0, 1.0, 9.0]
    assert body["usage"]["images"] == 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 13}, "best_of"),
        ({"best_of": 0}, "best_of"),
        ({"best_of": 2, "guidance_scale": 1}, "best_of"),
        ({"negative_prompt": "dark", "guidance_scale": 1}, "negative_prompt"),
        ({"negative_prompt": " "}, "negative_prompt"),
        ({"size": "64x64", "aspect_ratio": "1:1"}, "aspect_ratio"),
        ({"aspect_ratio": "3x2"}, "aspect_ratio"),
        ({"aspect_ratio": "0:1"}, "aspect_ratio"),
        ({"aspect_ratio": "1.5:1"}, "aspect_ratio"),
    ],
)
def test_contradicting_choices_are_refused_by_name(
    alice: Project, fields: dict[str, Any], param: str
) -> None:
    assert_problem(alice.submit(**fields), ProblemCode.INVALID_REQUEST, param)


def test_a_negative_prompt_is_part_of_the_request(alice: Project) -> None:
    assert alice.submit(negative_prompt="dark").json()["request"]["negative_prompt"] == "dark"
    assert "negative_prompt" not in alice.submit().json()["request"]


def test_a_request_shows_the_size_that_was_chosen_for_its_ratio(alice: Project, database: Database) -> None:
    start_worker(database)
    request = alice.submit(aspect_ratio="3:2").json()["request"]
    assert (request["aspect_ratio"], request["size"]) == ("3:2", "96x64")
    assert alice.submit(aspect_ratio="9:16").json()["request"]["size"] == "64x96"


def test_a_retry_keeps_the_size_that_was_chosen(alice: Project, database: Database) -> None:
    start_worker(database)
    first = alice.submit(aspect_ratio="3:2").json()
    alice.post(f"/v1/jobs/{first['id']}/cancel")
    assert alice.post(f"/v1/jobs/{first['id']}/retry").json()["request"] == first["request"]


def test_while_no_worker_runs_the_ratio_waits_for_one(alice: Project) -> None:
    request = alice.submit(aspect_ratio="3:2").json()["request"]
    assert request["aspect_ratio"] == "3:2"
    assert "size" not in request
