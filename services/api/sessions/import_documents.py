"""The JSON files of an exported session, as an import reads them: only what it restores, within bounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from services.api.sessions.import_archive import Archive, invalid
from services.api.sessions.manifest import (
    CODES,
    MANIFEST,
    SESSION,
    Count,
    ExportedGrid,
    Manifest,
    Sha256,
    job_name,
)
from services.api.sessions.requests import Name, Note
from shared.field_errors import explain_faults
from shared.ids import IdKind, format_id, parse_id
from shared.jobs import MOST_CANDIDATES, JobState
from shared.schemas.fields import Metadata, Numerics, Text, Time

Value = TypeVar("Value")

MOST_TURNS = 5000
"""Turns of one import."""
MOST_ATTEMPTS = 32_767
FIRST_YEAR, END_YEAR = 2000, 3000


def id_of(kind: IdKind) -> BeforeValidator:
    """Reads a public id of this kind as a UUID."""

    def read(value: Any) -> Any:
        return parse_id(kind, value) if isinstance(value, str) else value

    return BeforeValidator(read)


def check_era(time: datetime) -> datetime:
    """Return a time of this era unchanged. Raises ValueError for one that no export contains."""
    if not FIRST_YEAR <= time.year < END_YEAR:
        raise ValueError(f"must be between the years {FIRST_YEAR} and {END_YEAR}")
    return time


TurnId = Annotated[UUID, id_of(IdKind.TURN)]
JobId = Annotated[UUID, id_of(IdKind.JOB)]
CandidateId = Annotated[UUID, id_of(IdKind.CANDIDATE)]
ImageId = Annotated[UUID, id_of(IdKind.IMAGE)]
SessionId = Annotated[UUID, id_of(IdKind.SESSION)]
Position = Annotated[int, Field(ge=0, lt=MOST_CANDIDATES)]
Words = Annotated[Text, Field(max_length=4000)]
Moment = Annotated[Time, AfterValidator(check_era)]


class Document(BaseModel):
    """A JSON object of an export. Fields that an import does not restore are ignored."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True)


class HeadDocument(Document):
    """The head of the session."""

    candidate_id: CandidateId | None
    image_id: ImageId | None
    version: Annotated[Count, Field(ge=1)]


class ParentDocument(Document):
    """The picture that a turn starts from."""

    turn_id: TurnId | None
    candidate_id: CandidateId | None
    image_id: ImageId | None


class StarDocument(Document):
    """A candidate, as the tree shows it."""

    id: CandidateId
    starred: bool


class TurnDocument(Document):
    """A turn in the tree."""

    id: TurnId
    number: Annotated[Count, Field(ge=1)]
    name: Name | None
    note: Note | None
    metadata: Metadata
    parent: ParentDocument
    job_id: JobId
    candidates: Annotated[list[StarDocument], Field(max_length=MOST_CANDIDATES)]
    created_at: Moment


class SessionDocument(Document):
    """`session.json`."""

    id: SessionId
    title: Name | None
    note: Note | None
    metadata: Metadata
    root_image_id: ImageId | None
    head: HeadDocument
    turns: Annotated[list[TurnDocument], Field(max_length=MOST_TURNS)]


class ProgressDocument(Document):
    """What a job has drawn."""

    tokens_done: Count
    tokens_total: Count
    tokens_per_second: float | None
    prefill_rows_done: Count
    prefill_rows: Count


class OutputDocument(Document):
    """A candidate of a job."""

    id: ImageId
    candidate_id: CandidateId
    index: Position
    drawn_index: Position
    sha256: Sha256
    tokens_sha256: Sha256
    score: float | None
    partial: bool


class ErrorDocument(Document):
    """Why a job has no answer."""

    code: Annotated[Text, Field(max_length=100)]
    message: Words


class NumericsDocument(Document):
    """The numerics identities before and after a takeover."""

    before: Numerics | None = Field(alias="from")


class JobDocument(Document):
    """`jobs/job_….json`."""

    id: JobId
    status: JobState
    attempt: Annotated[int, Field(ge=0, le=MOST_ATTEMPTS)]
    numerics: Numerics | None
    numerics_changed: NumericsDocument | None
    progress: ProgressDocument
    outputs: Annotated[list[OutputDocument], Field(max_length=MOST_CANDIDATES)]
    scores: Annotated[list[float], Field(max_length=MOST_CANDIDATES)] | None
    error: ErrorDocument | None
    request: dict[str, Any]
    retry_of: JobId | None
    replay_of: JobId | None = None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None


@dataclass(frozen=True)
class Documents:
    """All JSON files of an export."""

    manifest: Manifest
    session: SessionDocument
    jobs: Sequence[JobDocument]
    """The jobs in the order of the session's turns."""
    grids: Sequence[ExportedGrid]


MANIFEST_TYPE = TypeAdapter(Manifest)
SESSION_TYPE = TypeAdapter(SessionDocument)
JOB_TYPE = TypeAdapter(JobDocument)
GRIDS_TYPE = TypeAdapter(Annotated[list[ExportedGrid], Field(max_length=65_535)])


def read_documents(archive: Archive) -> Documents:
    """Check the hash of every file, then read the JSON files. Blocks. Raises Problem that names the file."""
    manifest = read_document(archive, MANIFEST, MANIFEST_TYPE.validate_json)
    check_files(archive, manifest)
    session = read_document(archive, SESSION, SESSION_TYPE.validate_json)
    jobs = [
        read_document(archive, job_name(format_id(IdKind.JOB, turn.job_id)), JOB_TYPE.validate_json)
        for turn in session.turns
    ]
    return Documents(manifest, session, jobs, read_document(archive, CODES, GRIDS_TYPE.validate_json))


def read_document(archive: Archive, name: str, parse: Callable[[bytes], Value]) -> Value:
    """A JSON file. Raises Problem that names the file and the field."""
    data = archive.read(name)
    try:
        return parse(data)
    except ValidationError as error:
        detail, _ = explain_faults(error.errors(include_url=False, include_input=False))
        raise invalid(name, detail) from error


def check_files(archive: Archive, manifest: Manifest) -> None:
    """Raise Problem unless the zip file has exactly the manifest's files, with their hashes."""
    listed = manifest.files.keys() | {MANIFEST}
    if missing := sorted(listed - archive.names):
        raise invalid(missing[0], "This file is missing.")
    if surplus := sorted(archive.names - listed):
        raise invalid(surplus[0], "The manifest does not list this file.")
    for name, expected in manifest.files.items():
        archive.check_hash(name, expected)
