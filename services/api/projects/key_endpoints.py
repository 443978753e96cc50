"""Routes of API keys. All need the scope `admin`."""

from fastapi import APIRouter, Depends, Request

from services.api.auth.bearer import CallerDep
from services.api.auth.projects import WantedProject
from services.api.dependencies import GatewayDep, Limit
from services.api.http.json_bodies import described_body, read_json, read_optional_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.process.acting import Purpose, as_platform
from services.api.projects.change_key import change_key, revoke_key
from services.api.projects.create_key import create_key
from services.api.projects.endpoints import ADMIN_PROBLEMS, BAD_BODIES
from services.api.projects.key_schemas import (
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyList,
    ApiKeyResponse,
    ApiKeyWithSecret,
    KeyRotation,
)
from services.api.projects.parameters import KeyCursor, PathKey
from services.api.projects.repository import list_keys, read_key
from services.api.projects.rotate_key import rotate_key

router = APIRouter(
    prefix="/v1/api_keys",
    tags=["projects"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(*ADMIN_PROBLEMS),
)
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)
REFUSED_CHANGES = problem_responses(*BAD_BODIES, ProblemCode.NOT_FOUND, ProblemCode.API_KEY_ENDED)
REFUSED_ROTATIONS = problem_responses(
    *BAD_BODIES, ProblemCode.NOT_FOUND, ProblemCode.API_KEY_ENDED, ProblemCode.ROTATION_OVERLAPS
)
CREATE_BODY = described_body(
    ApiKeyCreate,
    {"name": "production", "scopes": ["read", "write"], "allowed_networks": ["192.0.2.0/24"]},
)
CHANGE_BODY = described_body(ApiKeyChange, {"scopes": ["read"]})
ROTATION_BODY = described_body(KeyRotation, {"overlap_seconds": 3600}, required=False)


@router.post(
    "",
    status_code=201,
    openapi_extra=CREATE_BODY,
    responses=problem_responses(*BAD_BODIES, ProblemCode.NOT_FOUND),
)
async def post_api_key(request: Request, caller: CallerDep, gateway: GatewayDep) -> ApiKeyWithSecret:
    """Create a key. Only this response has its secret."""
    wanted = await read_json(request, ApiKeyCreate, ())
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(create_key, caller.project_id, wanted)


@router.get("", responses=NOT_FOUND)
async def get_api_keys(
    gateway: GatewayDep, project_id: WantedProject, after: KeyCursor = None, limit: Limit = 20
) -> ApiKeyList:
    """List keys, newest first, also those that have ended."""
    async with as_platform(Purpose.ADMINISTRATION), gateway.reads.transaction() as session:
        return await session.run_sync(list_keys, project_id, after, limit)


@router.get("/{key_id}", responses=NOT_FOUND)
async def get_api_key(_: CallerDep, gateway: GatewayDep, key_id: PathKey) -> ApiKeyResponse:
    """Read a key; its secret is not kept."""
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(read_key, key_id)


@router.patch("/{key_id}", openapi_extra=CHANGE_BODY, responses=REFUSED_CHANGES)
async def patch_api_key(
    request: Request, _: CallerDep, gateway: GatewayDep, key_id: PathKey
) -> ApiKeyResponse:
    """Change the fields that the body has. It holds from the next request with the key on."""
    change = await read_json(request, ApiKeyChange, ())
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(change_key, key_id, change)


@router.post("/{key_id}/revoke", responses=NOT_FOUND)
async def post_revoke(_: CallerDep, gateway: GatewayDep, key_id: PathKey) -> ApiKeyResponse:
    """Refuse the key from the next request on. Repeating this has no effect."""
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(revoke_key, key_id)


@router.post("/{key_id}/rotate", status_code=201, openapi_extra=ROTATION_BODY, responses=REFUSED_ROTATIONS)
async def post_rotate(
    request: Request, _: CallerDep, gateway: GatewayDep, key_id: PathKey
) -> ApiKeyWithSecret:
    """Create a key with the same name, scopes and networks; the old one ends after an overlap."""
    rotation = await read_optional_json(request, KeyRotation)
    async with as_platform(Purpose.ADMINISTRATION), gateway.database.transaction() as session:
        return await session.run_sync(rotate_key, key_id, rotation)
