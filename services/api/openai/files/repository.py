"""Find files of a project, and what they contain."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind, MalformedIdError, format_id, parse_id
from shared.tables import OpenAIFile


@dataclass(frozen=True)
class FileFilter:
    """Which files a list has, and in which order. after: the last file of the previous page."""

    purpose: str | None = None
    after: UUID | None = None
    oldest_first: bool = False


def parse_file_id(text: str, param: str = "file_id") -> UUID:
    """The database id of a file's id. Raises Problem (404)."""
    try:
        return parse_id(IdKind.FILE, text)
    except MalformedIdError as error:
        raise no_such_file(param) from error


def find_file(session: Session, project_id: UUID, file_id: UUID, param: str = "file_id") -> OpenAIFile:
    """The row of a stored file. Raises Problem (404)."""
    statement = select(OpenAIFile).where(
        OpenAIFile.id == file_id,
        OpenAIFile.project_id == project_id,
        OpenAIFile.stored_at.is_not(None),
    )
    found = session.scalars(statement).first()
    if found is None:
        raise no_such_file(param)
    return found


def no_such_file(param: str) -> Problem:
    """Problem of an unknown file; the same for a file of another project."""
    return Problem(ProblemCode.NOT_FOUND, "There is no file with this id.", param=param)


def picture_of_file(session: Session, project_id: UUID, text: str, param: str) -> str:
    """The id of the picture that a file contains. Raises Problem."""
    try:
        file = find_file(session, project_id, parse_file_id(text))
    except Problem as problem:
        raise Problem(ProblemCode.INVALID_REQUEST, f"{param}: {problem.detail}", param=param) from problem
    if file.image_id is None:
        raise Problem(ProblemCode.INVALID_REQUEST, f"{param}: This file is no picture.", param=param)
    return format_id(IdKind.IMAGE, file.image_id)


def list_files(
    session: Session, project_id: UUID, wanted: FileFilter, limit: int
) -> tuple[list[OpenAIFile], bool]:
    """A page of files, and whether more follow. Ids rise with time."""
    order = OpenAIFile.id.asc() if wanted.oldest_first else OpenAIFile.id.desc()
    statement = (
        select(OpenAIFile)
        .where(OpenAIFile.project_id == project_id, OpenAIFile.stored_at.is_not(None))
        .order_by(order)
        .limit(limit + 1)
    )
    if wanted.purpose is not None:
        statement = statement.where(OpenAIFile.purpose == wanted.purpose)
    if wanted.after is not None:
        is_later = OpenAIFile.id > wanted.after if wanted.oldest_first else OpenAIFile.id < wanted.after
        statement = statement.where(is_later)
    rows = session.scalars(statement).all()
    return list(rows[:limit]), len(rows) > limit
