"""Exports of sessions in tests: draw pictures with real files, and take a zip file apart."""

import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx2

from services.worker.job.provenance import add_text
from shared.database import Database
from shared.job_store import Answer, Output, StoredImage, UsageAmounts, succeed_job
from shared.storage import ObjectStorage, answer_folder
from shared.token_grid import TokenGrid
from tests.support.factories import must_claim
from tests.support.gateway.clients import Project, png

Json = dict[str, Any]
Files = dict[str, bytes]
ZIP = {"Content-Type": "application/zip"}


def draw_files(database: Database, storage: ObjectStorage, *shades: int) -> None:
    """Draw the job that a worker would claim next: one candidate for each shade, with its file and recipe."""
    claimed = must_claim(database)
    outputs: list[Output] = []
    for index, shade in enumerate(shades):
        grid = TokenGrid(2, 2, (shade, 2, 3, 4))
        recipe = json.dumps({"tokens_sha256": grid.sha256()})
        data = add_text(png(16, 16, (shade, 0, 0)), {"Software": "Luminary", "luminary": recipe})
        folder = answer_folder(claimed.project_id, claimed.lease.job_id, index)
        stored = storage.put_image(folder, data, "image/png")
        image = StoredImage(stored.key, stored.sha256, "image/png", stored.byte_size, 16, 16)
        outputs.append(Output(image, grid, "tiny", score=float(shade), drawn_index=index))
    usage = UsageAmounts(images=len(outputs), prompt_tokens=5, tokens_done=4, compute_seconds=0.5)
    with database.transaction() as session:
        succeed_job(session, claimed.lease, Answer(tuple(outputs), usage))


def export(project: Project, session: Json) -> bytes:
    """The zip file of a session."""
    return project.get(f"/v1/sessions/{session['id']}/export").content


def send_import(project: Project, data: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
    """Post a zip file."""
    return project.post("/v1/sessions/import", ZIP | (headers or {}), content=data)


def imported(project: Project, data: bytes) -> Json:
    """The session that an import makes, which must succeed."""
    answer = send_import(project, data)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"].endswith(answer.json()["id"])
    return answer.json()


def files_of(data: bytes) -> Files:
    """The files in a zip file."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(files: Files, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return buffer.getvalue()


def edited(files: Files, name: str, change: Callable[[Any], None]) -> Files:
    """The files with a change of one JSON file, and with the hashes in the manifest corrected."""
    document = json.loads(files[name])
    change(document)
    return signed({**files, name: json.dumps(document).encode()}, name == "manifest.json")


def signed(files: Files, as_it_is: bool = False) -> Files:
    """The files with the hashes in the manifest corrected, unless it has to stay as it is."""
    if as_it_is:
        return files
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: sha256(content).hexdigest() for name, content in files.items() if name != "manifest.json"
    }
    return {**files, "manifest.json": json.dumps(manifest).encode()}
