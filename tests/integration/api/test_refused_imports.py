"""Broken, oversized and hostile zip files are refused with the name of the entry, and change nothing."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.storage import ObjectStorage
from shared.tables import Image, Job, SessionRow
from shared.token_grid import TokenGrid
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.exports import (
    Files,
    draw_files,
    edited,
    export,
    files_of,
    send_import,
    signed,
    zipped,
)
from tests.support.gateway.running import admit, running_gateway
from tests.support.gateway.sessions import DATA_URL, Json, create, post_turn, tree

MANIFEST, SESSION = "manifest.json", "session.json"


@pytest.fixture
def told(alice: Project, database: Database, gateway_settings: GatewayProcessSettings) -> Json:
    """A session with a root and two turns, one below the other."""
    session = create(alice, image=DATA_URL)
    for shade in (10, 20):
        post_turn(alice, session)
        draw_files(database, ObjectStorage(gateway_settings.storage), shade)
    return tree(alice, session)


@pytest.fixture
def nothing_imported(told: Json, database: Database) -> Any:
    """Checks that no rows were added."""
    del told

    def count() -> list[int | None]:
        with database.transaction() as rows:
            return [
                rows.scalar(select(func.count()).select_from(table)) for table in (SessionRow, Job, Image)
            ]

    before = count()
    yield
    assert count() == before


def picture(files: Files) -> str:
    """Path of the last drawn picture."""
    return f"pictures/{last_job(files)['outputs'][0]['id']}.png"


def grid(files: Files) -> str:
    """Path of the codes of the last drawn picture."""
    return f"codes/{last_job(files)['outputs'][0]['id']}-tiny-16x16.grid"


def job(files: Files) -> str:
    """Path of the last job."""
    return f"jobs/{json.loads(files[SESSION])['turns'][-1]['job_id']}.json"


def last_job(files: Files) -> Json:
    return json.loads(files[job(files)])


def without(name: Callable[[Files], str]) -> Callable[[Files], tuple[Files, str]]:
    """The files without one."""

    def change(files: Files) -> tuple[Files, str]:
        gone = name(files)
        return {path: content for path, content in files.items() if path != gone}, gone

    return change


def with_bytes(name: Callable[[Files], str], content: bytes) -> Callable[[Files], tuple[Files, str]]:
    """One file has this content, and the manifest says so."""
    return lambda files: (signed({**files, name(files): content}), name(files))


def with_json(
    name: Callable[[Files], str], change: Callable[[Any], None], faulty: Callable[[Files], str] | None = None
) -> Callable[[Files], tuple[Files, str]]:
    """One JSON file is changed. faulty: the file that the problem names, if it is another one."""
    return lambda files: (edited(files, name(files), change), (faulty or name)(files))


def named(name: str) -> Callable[[Files], str]:
    return lambda _: name


def hang_below_itself(session: Json) -> None:
    first, second = session["turns"]
    first["parent"] = {"turn_id": second["id"], "candidate_id": None, "image_id": None}


def claim_the_other_picture(session: Json) -> None:
    first, second = session["turns"]
    second["parent"] |= {"turn_id": first["id"], "candidate_id": second["candidates"][0]["id"]}


def lose_the_root(session: Json) -> None:
    session["root_image_id"] = "img_00000000000000000000000000"
    for turn in session["turns"]:
        turn["parent"]["image_id"] = None


BROKEN: dict[str, Callable[[Files], tuple[Files, str]]] = {
    "no manifest": without(named(MANIFEST)),
    "no session": without(named(SESSION)),
    "no codes": without(named("codes.json")),
    "missing picture": without(picture),
    "missing grid": without(grid),
    "missing job": without(job),
    "wrong checksum": lambda files: ({**files, picture(files): png(16, 16)}, picture(files)),
    "a file too many": lambda files: (
        {**files, "pictures/img_00000000000000000000000000.png": png()},
        "pictures/img_00000000000000000000000000.png",
    ),
    "path upwards": lambda files: ({**files, "pictures/../../evil.png": png()}, "pictures/../../evil.png"),
    "absolute path": lambda files: ({**files, "/etc/cron.d/evil": b"x"}, "/etc/cron.d/evil"),
    "backslashes": lambda files: ({**files, "..\\evil.png": b"x"}, "..\\evil.png"),
    "unknown name": lambda files: ({**files, "readme.txt": b"x"}, "readme.txt"),
    "folder": lambda files: ({**files, "pictures/": b""}, "pictures/"),
    "unknown format": with_json(named(MANIFEST), lambda one: one.update(version=2)),
    "not JSON": with_bytes(named(SESSION), b"{"),
    "deep JSON": with_bytes(named(SESSION), b"[" * 100_000),
    "title too long": with_json(named(SESSION), lambda one: one.update(title="x" * 201)),
    "zero in a text": with_json(named(SESSION), lambda one: one.update(note="a\0b")),
    "circle": with_json(named(SESSION), hang_below_itself),
    "parent of another turn": with_json(named(SESSION), claim_the_other_picture),
    "numbers twice": with_json(named(SESSION), lambda one: one["turns"][1].update(number=1)),
    "turn twice": with_json(named(SESSION), lambda one: one["turns"].append(one["turns"][0])),
    "head of nothing": with_json(
        named(SESSION), lambda one: one["head"].update(candidate_id="cnd_00000000000000000000000000")
    ),
    "redo of nothing": with_json(
        named(MANIFEST), lambda one: one.update(undone=["cnd_00000000000000000000000000"])
    ),
    "root of nothing": with_json(named(SESSION), lose_the_root),
    "an id of another kind": with_json(named(SESSION), lambda one: one.update(id="job_x")),
    "invalid request": with_json(job, lambda one: one["request"].update(n=99)),
    "drawn without an attempt": with_json(job, lambda one: one.update(attempt=0, started_at=None)),
    "failed without an error": with_json(job, lambda one: one.update(status="failed")),
    "a time before the calendar": with_json(
        job, lambda one: one.update(created_at="0001-01-01T00:00:00+14:00")
    ),
    "a huge number": with_json(job, lambda one: one["progress"].update(tokens_total=10**30)),
    "more done than there is": with_json(job, lambda one: one["progress"].update(tokens_done=10**6)),
    "hash of other codes": with_json(job, lambda one: one["outputs"][0].update(tokens_sha256="0" * 64)),
    "not a picture": lambda files: (as_described(files, b"not a picture"), picture(files)),
    "half a picture": lambda files: (
        as_described(files, files[picture(files)][:-40]),
        picture(files),
    ),
    "another size of the picture": lambda files: (as_described(files, png(24, 24)), picture(files)),
    "recipe of other codes": lambda files: (
        as_described(files, files[f"pictures/{first_picture(files)}.png"]),
        picture(files),
    ),
    "not a grid": with_bytes(grid, b"LTG1 no"),
    "grid of another size": lambda files: (
        with_codes(files, TokenGrid(1, 2, (1, 2))),
        grid(files),
    ),
    "a mask that does not fit": with_json(
        named(MANIFEST),
        lambda one: one["masks"].update(
            job_x={
                "reading": "white_edits",
                "width": 8,
                "height": 8,
                "cell": 8,
                "cells_free": 1,
                "cells_total": 1,
                "cells": "gA==",
            }
        ),
    ),
}


def first_picture(files: Files) -> str:
    return json.loads(files[SESSION])["turns"][0]["candidates"][0]["image_id"]


def as_described(files: Files, content: bytes) -> Files:
    """The last picture has this content, and all JSON files say so."""
    name = picture(files)
    changed = signed({**files, name: content})
    digest = json.loads(changed[MANIFEST])["files"][name]
    changed = edited(changed, job(files), lambda one: one["outputs"][0].update(sha256=digest))

    def describe(manifest: Json) -> None:
        for one in manifest["pictures"]:
            if one["file"] == name:
                one.update(sha256=digest, byte_size=len(content))

    return edited(changed, MANIFEST, describe)


def with_codes(files: Files, codes: TokenGrid) -> Files:
    """The last picture has these codes, and all JSON files say so."""
    name = grid(files)
    changed = {**files, name: codes.to_bytes()}

    def describe(grids: list[Json]) -> None:
        for one in grids:
            if one["file"] == name:
                one["sha256"] = codes.sha256()

    changed = edited(changed, "codes.json", describe)
    return edited(changed, job(files), lambda one: one["outputs"][0].update(tokens_sha256=codes.sha256()))


@pytest.mark.usefixtures("nothing_imported")
def test_every_kind_of_broken_export_is_refused_with_the_name_of_the_faulty_file(
    alice: Project, told: Json
) -> None:
    """One gateway for all of them, because each takes milliseconds and a gateway takes a second."""
    files = files_of(export(alice, told))
    for name, change in BROKEN.items():
        broken, faulty = change(files)
        answer = send_import(alice, zipped(broken))
        assert answer.status_code == 422, (name, answer.text)
        problem = assert_problem(answer, ProblemCode.IMPORT_INVALID)
        assert problem.error.param == faulty, name
        assert problem.detail.startswith(faulty), name


def symlink(files: Files) -> bytes:
    """A zip file in which the last picture is a link to a file of the gateway."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            is_link = name == picture(files)
            info.external_attr = 0o120777 << 16 if is_link else 0
            file.writestr(info, b"/etc/passwd" if is_link else content)
    return buffer.getvalue()


def twice(files: Files) -> bytes:
    """A zip file with two entries of the last picture's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr(picture(files), png())
    return buffer.getvalue()


def damaged(files: Files) -> bytes:
    """A zip file in which a byte of the last picture has changed."""
    data, content = zipped(files), files[picture(files)]
    return data.replace(content, content[:-1] + b"?")


@pytest.mark.usefixtures("nothing_imported")
def test_links_twins_and_damaged_entries_are_refused(alice: Project, told: Json) -> None:
    files = files_of(export(alice, told))
    for broken in (symlink(files), twice(files), damaged(files)):
        assert_problem(send_import(alice, broken), ProblemCode.IMPORT_INVALID, picture(files))


@pytest.mark.usefixtures("nothing_imported")
def test_what_is_not_a_whole_zip_file_is_refused(alice: Project, told: Json) -> None:
    data = export(alice, told)
    commented = data[:-2] + struct.pack("<H", 4) + b"note"
    for broken in (b"", b"PK", png(), data[:-1], data[: len(data) // 2], data[10:], data + b"x", commented):
        assert_problem(send_import(alice, broken), ProblemCode.IMPORT_INVALID, "body")
    wrong_type = alice.post("/v1/sessions/import", {"Content-Type": "application/json"}, content=data)
    assert_problem(wrong_type, ProblemCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type")


def lying(files: Files, size: int) -> bytes:
    """A compressed zip file whose list gives another size for the tree than it expands to."""
    data = bytearray(zipped(files, zipfile.ZIP_DEFLATED))
    place = data.rindex(SESSION.encode()) - 46
    assert data[place : place + 4] == b"PK\x01\x02"
    data[place + 24 : place + 28] = struct.pack("<L", size)
    return bytes(data)


def test_bombs_are_refused_before_they_are_expanded(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database, told: Json
) -> None:
    files = files_of(export(alice, told))
    gateway = gateway_settings.gateway.model_copy(update={"max_import_bytes": 400_000})
    with running_gateway(gateway_settings.model_copy(update={"gateway": gateway})) as client:
        small = admit(database, client, "small")
        zeros = signed({**files, SESSION: bytes(500_000)})
        bomb = zipped(zeros, zipfile.ZIP_DEFLATED)
        assert len(bomb) < 100_000
        assert_problem(send_import(small, bomb), ProblemCode.IMPORT_TOO_LARGE, "body")
        hidden = lying(zeros, 10)
        assert_problem(send_import(small, hidden), ProblemCode.IMPORT_INVALID, SESSION)
        assert_problem(send_import(small, bytes(400_001)), ProblemCode.IMPORT_TOO_LARGE, "body")
        pieces = (bytes(100_000) for _ in range(5))
        assert_problem(
            small.post("/v1/sessions/import", {"Content-Type": "application/zip"}, content=pieces),
            ProblemCode.IMPORT_TOO_LARGE,
            "body",
        )
        assert send_import(small, zipped(files)).status_code == 201
    large = zipped(signed({**files, job(files): bytes(2_000_000)}), zipfile.ZIP_DEFLATED)
    assert_problem(send_import(alice, large), ProblemCode.IMPORT_TOO_LARGE, job(files))


@pytest.mark.usefixtures("nothing_imported")
def test_a_list_of_millions_of_entries_is_refused_unread(alice: Project) -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65_535, 65_535, 40_000_000, 0, 0)
    assert_problem(send_import(alice, bytes(1000) + end), ProblemCode.IMPORT_TOO_LARGE, "body")
