"""The project that a list is about: the key's own one, or, for an `admin` key, any or all."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from services.api.auth.api_keys import Caller
from services.api.auth.bearer import CallerDep
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.acting import Acting, Purpose, as_platform, as_project
from shared.ids import IdKind, id_pattern, parse_id


def may_see(caller: Caller, project_id: UUID) -> bool:
    """Whether the caller may read about the project."""
    return caller.is_admin or caller.project_id == project_id


def as_reader(caller: Caller) -> Acting:
    """The block reads what the caller may see: all projects with the scope `admin`, otherwise its own one."""
    return as_platform(Purpose.ADMINISTRATION) if caller.is_admin else as_project(caller.project_id)


def get_wanted_project(
    caller: CallerDep,
    project_id: Annotated[
        str | None,
        Query(
            pattern=f"^{id_pattern(IdKind.PROJECT)}$",
            description="Only this project. Without it: that of the key, or, with the scope `admin`, all.",
        ),
    ] = None,
) -> UUID | None:
    """The project that the query names; None for all. Raises Problem for one that the caller may not see."""
    if project_id is None:
        return None if caller.is_admin else caller.project_id
    wanted = parse_id(IdKind.PROJECT, project_id)
    if not may_see(caller, wanted):
        raise Problem(ProblemCode.NOT_FOUND, "There is no project with this id.", param="project_id")
    return wanted


WantedProject = Annotated[UUID | None, Depends(get_wanted_project)]
