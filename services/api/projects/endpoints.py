"""Routes of projects."""

from fastapi import APIRouter, Depends, Request

from services.api.auth.bearer import CallerDep
from services.api.auth.projects import as_reader
from services.api.dependencies import GatewayDep, Limit
from services.api.http.json_bodies import described_body, read_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.process.acting import Purpose, as_platform
from services.api.projects.change import change_project, disable, enable
from services.api.projects.create import create_project
from services.api.projects.parameters import PathProject, ProjectCursor, ProjectName
from services.api.projects.repository import list_projects, read_project
from services.api.projects.schemas import ProjectChange, ProjectCreate, ProjectList, ProjectResponse

BAD_BODIES = (
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
)
ADMIN_PROBLEMS = (
    ProblemCode.UNAUTHENTICATED,
    ProblemCode.PROJECT_DISABLED,
    ProblemCode.INSUFFICIENT_SCOPE,
    ProblemCode.ADDRESS_NOT_ALLOWED,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.DATABASE_UNAVAILABLE,
)
router = APIRouter(
    prefix="/v1/projects",
    tags=["projects"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(*ADMIN_PROBLEMS),
)
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)
CREATE_BODY = described_body(ProjectCreate, {"name": "shop", "weight": 3, "max_queued_jobs": 20})
CHANGE_BODY = described_body(ProjectChange, {"requests_per_minute": 600, "max_running_jobs": None})


@router.post(
    "",
    status_code=201,
    openapi_extra=CREATE_BODY,
    responses=problem_responses(*BAD_BODIES, ProblemCode.PROJECT_NAME_TAKEN),
)
async def post_project(request: Request, _: CallerDep, gateway: GatewayDep) -> ProjectResponse:
    """Create a project. Needs the scope `admin`."""
    wanted = await read_json(request, ProjectCreate, ())
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(create_project, wanted)


@router.get("")
async def get_projects(
    caller: CallerDep,
    gateway: GatewayDep,
    name: ProjectName = None,
    after: ProjectCursor = None,
    limit: Limit = 20,
) -> ProjectList:
    """List projects, newest first: the key's own one, or all for a key with the scope `admin`."""
    only = None if caller.is_admin else caller.project_id
    async with as_reader(caller), gateway.reads.transaction() as session:
        return await session.run_sync(list_projects, only, name, after, limit)


@router.get("/{project_id}", responses=NOT_FOUND)
async def get_project(caller: CallerDep, gateway: GatewayDep, project_id: PathProject) -> ProjectResponse:
    """Read a project: the key's own one, or any with the scope `admin`."""
    async with as_reader(caller), gateway.database.transaction() as session:
        return await session.run_sync(read_project, project_id)


@router.patch(
    "/{project_id}",
    openapi_extra=CHANGE_BODY,
    responses=problem_responses(*BAD_BODIES, ProblemCode.NOT_FOUND, ProblemCode.PROJECT_NAME_TAKEN),
)
async def patch_project(request: Request, gateway: GatewayDep, project_id: PathProject) -> ProjectResponse:
    """Change the fields that the body has. Needs the scope `admin`."""
    change = await read_json(request, ProjectChange, ())
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(change_project, project_id, change)


@router.post("/{project_id}/disable", responses=NOT_FOUND)
async def post_disable_project(gateway: GatewayDep, project_id: PathProject) -> ProjectResponse:
    """Refuse all keys of the project from now on; jobs that it has queued are still drawn."""
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(disable, project_id)


@router.post("/{project_id}/enable", responses=NOT_FOUND)
async def post_enable_project(gateway: GatewayDep, project_id: PathProject) -> ProjectResponse:
    """Accept the project's keys again."""
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(enable, project_id)
