"""Ids and names in requests about projects and keys."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query

from services.api.auth.bearer import CallerDep
from services.api.auth.projects import may_see
from services.api.dependencies import cursor_of, id_in_path
from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind


def get_project_id(
    caller: CallerDep,
    project_id: Annotated[str, Path(description="The project's id: `prj_` and 26 characters.")],
) -> UUID:
    """The project that the path names. Raises Problem for one that the caller may not see."""
    found = id_in_path(IdKind.PROJECT, project_id)
    if not may_see(caller, found):
        raise Problem(ProblemCode.NOT_FOUND, "There is no project with this id.", param="project_id")
    return found


def get_key_id(key_id: Annotated[str, Path(description="The key's id: `key_` and 26 characters.")]) -> UUID:
    """The key that the path names."""
    return id_in_path(IdKind.API_KEY, key_id)


PathProject = Annotated[UUID, Depends(get_project_id)]
PathKey = Annotated[UUID, Depends(get_key_id)]
ProjectCursor = Annotated[UUID | None, Depends(cursor_of(IdKind.PROJECT))]
KeyCursor = Annotated[UUID | None, Depends(cursor_of(IdKind.API_KEY))]
ProjectName = Annotated[
    str | None,
    Query(max_length=100, pattern=r"^[^\u0000]*$", description="Only the project of this name."),
]
