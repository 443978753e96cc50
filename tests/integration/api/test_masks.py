"""Masks of edits: which ones the gateway refuses, and how the job shows their reading."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.api.problems.codes import ProblemCode
from tests.support.gateway.clients import Project, assert_problem

CASES = Path(__file__).parents[2] / "cases" / "mask_alpha"


def encoded(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def edit(project: Project, mask: str, **fields: object) -> dict[str, Any]:
    photo = encoded(Image.effect_noise((64, 64), 50).convert("RGB"))
    return {"task": "edit", "image": photo, "mask": mask, "size": "64x64", **fields}


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("white_on_black", "white_edits"),
        ("white_on_transparent", "white_edits"),
        ("LA", "white_edits"),
        ("dark_16bit", "white_edits"),
        ("openai_transparent", "transparent_edits"),
    ],
)
def test_the_answer_tells_the_reading_and_shows_the_mask_as_understood(
    alice: Project, bob: Project, name: str, reading: str
) -> None:
    """Fixed bug: white on transparent freed all 64 cells instead of 16, and the job did not show it."""
    drawn = base64.b64encode((CASES / f"{name}.png").read_bytes()).decode()
    answer = alice.submit(**edit(alice, f"data:image/png;base64,{drawn}"))
    assert answer.status_code == 202, answer.text
    told = answer.json()["mask"]
    address = f"{answer.json()['links']['self']}/mask"
    assert told == {
        "reading": reading,
        "size": "64x64",
        "cells_free": 16,
        "cells_total": 64,
        "understood": address,
    }
    assert alice.get(answer.json()["links"]["self"]).json()["mask"] == told

    shown = alice.get(address)
    assert shown.headers["content-type"] == "image/png"
    quarter = np.zeros((64, 64), np.bool_)
    quarter[:32, :32] = True
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.content))), quarter)
    assert bob.get(address).status_code == 404


@pytest.mark.parametrize(
    "mask",
    [Image.new("L", (64, 64), 0), Image.new("L", (64, 64), 255), Image.new("L", (32, 64), 255)],
    ids=["black", "full", "half width"],
)
def test_a_mask_that_leaves_no_choice_is_refused_before_its_job_waits(
    alice: Project, mask: Image.Image
) -> None:
    """Fixed bug: such jobs were queued, and failed or changed the whole image."""
    answer = alice.submit(**edit(alice, encoded(mask)))
    assert_problem(answer, ProblemCode.INVALID_REQUEST, "mask")
    assert alice.get("/v1/jobs").json()["data"] == []


def test_a_full_mask_is_taken_where_a_mode_asks_for_it(alice: Project) -> None:
    answer = alice.submit(**edit(alice, encoded(Image.new("L", (64, 64), 255)), mask_mode="white_edits"))
    assert answer.json()["mask"]["cells_free"] == 64


def test_a_mode_needs_a_mask_and_other_jobs_have_none(alice: Project) -> None:
    fields = edit(alice, "")
    answer = alice.submit(**{**fields, "mask": None}, mask_mode="auto")
    assert_problem(answer, ProblemCode.INVALID_REQUEST, "mask_mode")
    plain = alice.submit().json()
    assert plain["mask"] is None
    assert_problem(alice.get(f"{plain['links']['self']}/mask"), ProblemCode.NOT_FOUND)


def test_a_phone_s_jpeg_and_a_depth_map_are_stored(alice: Project) -> None:
    """Fixed bug: a JPEG with a second picture was answered with 500."""
    phone = alice.upload((CASES.parent / "mpo_jpeg" / "portrait.jpg").read_bytes())
    assert phone.status_code == 201
    assert (phone.json()["media_type"], phone.json()["width"], phone.json()["height"]) == (
        "image/jpeg",
        256,
        192,
    )
    depth = alice.upload((CASES.parent / "depth_16bit" / "depth16.png").read_bytes())
    assert depth.json()["media_type"] == "image/png"
