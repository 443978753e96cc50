"""Check that the files of an import fit together: the tree is a tree, and every id is its own. Pure."""

import base64
import binascii
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError

from services.api.sessions.import_archive import invalid
from services.api.sessions.import_documents import Documents, JobDocument, OutputDocument, TurnDocument
from services.api.sessions.manifest import (
    CODES,
    MANIFEST,
    SESSION,
    ExportedGrid,
    ExportedPicture,
    certainty_name,
    grid_name,
    job_name,
    picture_name,
)
from shared.field_errors import explain_faults
from shared.ids import IdKind, MalformedIdError, format_id, parse_id
from shared.jobs import FINAL_STATES, JobState
from shared.pictures.masks import MaskRecord
from shared.schemas.jobs import JobRequest
from shared.storage import EXTENSIONS
from shared.tables.jobs import FAULTY_STATES

LONGEST_MASK_SIDE = 4096


@dataclass(frozen=True)
class CheckedJob:
    """A job with its validated request and its mask."""

    document: JobDocument
    request: JobRequest
    mask: MaskRecord | None


@dataclass(frozen=True)
class CheckedSession:
    """A session whose files fit together; its ids are those of the installation that exported it."""

    documents: Documents
    jobs: Sequence[CheckedJob]
    """In the order of the turns, which is that of their numbers."""
    pictures: Mapping[UUID, ExportedPicture]
    grids: Mapping[UUID, Sequence[ExportedGrid]]
    """The grids of each picture; the first one has the drawn codes."""
    undone: Sequence[UUID]
    outputs: Mapping[UUID, OutputDocument]
    """All candidates by their image ids."""
    job_of: Mapping[UUID, UUID]
    """The job of each turn."""


def check_documents(documents: Documents) -> CheckedSession:
    """The session of these files. Raises Problem that names the faulty one."""
    pictures = check_pictures(documents)
    grids = check_grids(documents, pictures)
    check_tree(documents)
    masks = check_masks(documents)
    jobs = [CheckedJob(job, check_job(job), masks.get(job.id)) for job in documents.jobs]
    checked = CheckedSession(
        documents,
        jobs,
        pictures,
        grids,
        check_head(documents),
        {output.id: output for job in documents.jobs for output in job.outputs},
        {turn.id: turn.job_id for turn in documents.session.turns},
    )
    for job in jobs:
        check_outputs(job.document, checked)
    root = documents.session.root_image_id
    if root not in {None, *pictures}:
        raise invalid(SESSION, "root_image_id: The manifest does not list this picture.")
    refuse_twins([output.id for job in documents.jobs for output in job.outputs], SESSION, "A picture")
    return checked


def check_pictures(documents: Documents) -> Mapping[UUID, ExportedPicture]:
    """The pictures by id."""
    manifest = documents.manifest
    ids = [parse_id(IdKind.IMAGE, picture.image_id) for picture in manifest.pictures]
    refuse_twins(ids, MANIFEST, "A picture")
    for picture in manifest.pictures:
        name = picture_name(f"{picture.image_id}.{EXTENSIONS[picture.media_type]}")
        if picture.file not in {None, name} or manifest.files.get(name) != (
            None if picture.file is None else picture.sha256
        ):
            raise invalid(name, "The manifest describes another file for this picture.")
    known = {picture.file for picture in manifest.pictures}
    if surplus := sorted(
        name for name in manifest.files if name.startswith("pictures/") and name not in known
    ):
        raise invalid(surplus[0], "The session has no such picture.")
    return dict(zip(ids, manifest.pictures, strict=True))


def check_grids(
    documents: Documents, pictures: Mapping[UUID, ExportedPicture]
) -> Mapping[UUID, Sequence[ExportedGrid]]:
    """The grids of each picture, in their order."""
    files = documents.manifest.files
    refuse_twins([grid.file for grid in documents.grids], CODES, "A grid")
    grids: dict[UUID, list[ExportedGrid]] = {image: [] for image in pictures}
    for grid in documents.grids:
        image = parse_id(IdKind.IMAGE, grid.image_id)
        expected = grid_name(grid.image_id, grid.tokenizer, grid.width, grid.height)
        if grid.file != expected or files.get(grid.file) != grid.sha256 or image not in grids:
            raise invalid(grid.file, "codes.json describes another file for this grid.")
        certainty = certainty_name(grid.file)
        if files.get(certainty) != grid.certainty:
            raise invalid(certainty, "codes.json describes another file for this grid.")
        grids[image].append(grid)
    known = {name for grid in documents.grids for name in (grid.file, certainty_name(grid.file))}
    if surplus := sorted(name for name in files if name.startswith("codes/") and name not in known):
        raise invalid(surplus[0], "The session has no such grid.")
    return grids


def check_tree(documents: Documents) -> None:
    """Each turn starts from the root, from nothing, or from a candidate of an earlier turn."""
    session, turns = documents.session, documents.session.turns
    numbers = [turn.number for turn in turns]
    if numbers != sorted(set(numbers)) or (numbers and numbers[-1] > documents.manifest.last_number):
        raise invalid(SESSION, "turns: The numbers do not ascend up to the manifest's `last_number`.")
    refuse_twins([turn.id for turn in turns], SESSION, "A turn")
    refuse_twins([turn.job_id for turn in turns], SESSION, "A job")
    refuse_twins([one.id for turn in turns for one in turn.candidates], SESSION, "A candidate")
    names = {job_name(format_id(IdKind.JOB, turn.job_id)) for turn in turns}
    if surplus := sorted(
        name for name in documents.manifest.files if name.startswith("jobs/") and name not in names
    ):
        raise invalid(surplus[0], "The session has no such job.")
    earlier: dict[UUID, TurnDocument] = {}
    for turn, job in zip(turns, documents.jobs, strict=True):
        parent = turn.parent
        above = None if parent.turn_id is None else earlier.get(parent.turn_id)
        place = f"turn {turn.number}"
        if parent.turn_id is None:
            if parent.candidate_id is not None or parent.image_id not in {None, session.root_image_id}:
                raise invalid(SESSION, f"{place}: Its parent is not the root.")
        elif above is None or parent.candidate_id not in {None, *(one.id for one in above.candidates)}:
            raise invalid(SESSION, f"{place}: Its parent is not a candidate of an earlier turn.")
        name = job_name(format_id(IdKind.JOB, turn.job_id))
        if job.id != turn.job_id:
            raise invalid(name, "The file has another job.")
        if {one.id for one in turn.candidates} != {output.candidate_id for output in job.outputs}:
            raise invalid(name, "The outputs are not the candidates of the turn.")
        earlier[turn.id] = turn


def check_head(documents: Documents) -> Sequence[UUID]:
    """The candidates to which redo returns. The head and they belong to turns of the session."""
    session = documents.session
    candidates = {one.id for turn in session.turns for one in turn.candidates}
    if session.head.candidate_id not in {None, *candidates}:
        raise invalid(SESSION, "head: The session has no such candidate.")
    try:
        undone = [parse_id(IdKind.CANDIDATE, text) for text in documents.manifest.undone]
    except MalformedIdError as error:
        raise invalid(MANIFEST, "undone: This is not a candidate id.") from error
    if not candidates.issuperset(undone):
        raise invalid(MANIFEST, "undone: The session has no such candidate.")
    return undone


def check_masks(documents: Documents) -> Mapping[UUID, MaskRecord]:
    """The masks by job id."""
    jobs = {format_id(IdKind.JOB, job.id): job.id for job in documents.jobs}
    for job_id, mask in documents.manifest.masks.items():
        if job_id not in jobs or not fits(mask):
            raise invalid(MANIFEST, "masks: A mask is damaged, or the session has no such job.")
    return {jobs[job_id]: mask for job_id, mask in documents.manifest.masks.items()}


def fits(mask: MaskRecord) -> bool:
    """Whether the cells of a mask fill its size."""
    sides = (mask.width, mask.height, mask.cell)
    if (
        not all(0 < side <= LONGEST_MASK_SIDE for side in sides)
        or mask.width % mask.cell
        or mask.height % mask.cell
    ):
        return False
    total = (mask.width // mask.cell) * (mask.height // mask.cell)
    try:
        bits = base64.b64decode(mask.cells, validate=True)
    except binascii.Error:
        return False
    free = int.from_bytes(bits).bit_count()
    return len(bits) == -(-total // 8) and (mask.cells_total, mask.cells_free) == (total, free)


def check_job(job: JobDocument) -> JobRequest:
    """The request of a job whose counters, times and state can stand in the database."""
    name = job_name(format_id(IdKind.JOB, job.id))
    try:
        request = JobRequest.model_validate({**job.request, "webhook": None})
    except ValidationError as error:
        detail, _ = explain_faults(error.errors(include_url=False, include_input=False), JobRequest)
        raise invalid(name, f"request.{detail}") from error
    ended, progress = job.status in FINAL_STATES, job.progress
    facts = {
        "attempt": (job.attempt > 0) == (job.started_at is not None)
        and (job.attempt > 0 or job.status not in {JobState.SUCCEEDED, JobState.FAILED}),
        "finished_at": ended == (job.finished_at is not None),
        "progress": progress.tokens_done <= progress.tokens_total,
        "error": (job.error is None or job.status in FAULTY_STATES)
        and (job.error is not None or job.status not in {JobState.FAILED, JobState.EXPIRED}),
        "outputs": bool(job.outputs) or job.status is not JobState.SUCCEEDED,
    }
    if wrong := [field for field, right in facts.items() if not right]:
        raise invalid(name, f"{wrong[0]}: The value contradicts the state of the job.")
    return request


def check_outputs(job: JobDocument, session: CheckedSession) -> None:
    """Each output has its own picture and codes, with the hashes that the job says."""
    name = job_name(format_id(IdKind.JOB, job.id))
    if [output.index for output in job.outputs] != list(range(len(job.outputs))):
        raise invalid(name, "outputs: The indices do not count from 0.")
    for output in job.outputs:
        picture = session.pictures.get(output.id)
        grids = session.grids.get(output.id)
        if picture is None or not grids:
            raise invalid(name, "outputs: A picture or its codes are missing.")
        if (picture.sha256, grids[0].sha256) != (output.sha256, output.tokens_sha256):
            raise invalid(name, "outputs: The hashes are not those of the picture and its codes.")
        if (picture.width, picture.height) != (grids[0].width, grids[0].height):
            raise invalid(grids[0].file, "The codes have another size than the picture.")


def refuse_twins(values: Iterable[Hashable], name: str, what: str) -> None:
    """Raise Problem if a value occurs twice."""
    if any(count > 1 for count in Counter(values).values()):
        raise invalid(name, f"{what} occurs twice.")
