"""Routes of webhook endpoints and their secrets."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, Limit
from services.api.http.json_bodies import read_json, read_optional_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.process.webhook_urls import check_webhook_url
from services.api.webhooks.bodies import CHANGE_BODY, CREATE_BODY, ROTATION_BODY
from services.api.webhooks.change import change_endpoint, delete_endpoint, disable, enable
from services.api.webhooks.create import create_endpoint
from services.api.webhooks.parameters import (
    EndpointCursor,
    EndpointId,
    JobFilter,
)
from services.api.webhooks.repository import list_endpoints, read_default_secret, read_endpoint
from services.api.webhooks.rotate import rotate_default_secret, rotate_secret
from services.api.webhooks.schemas import (
    SecretRotation,
    WebhookEndpointChange,
    WebhookEndpointCreate,
    WebhookEndpointList,
    WebhookEndpointResponse,
    WebhookEndpointWithSecret,
    WebhookSecret,
)

router = APIRouter(
    prefix="/v1/webhook_endpoints",
    tags=["webhooks"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)
BAD_BODIES = (
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
)
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)
REFUSED_NEW = problem_responses(
    *BAD_BODIES, ProblemCode.WEBHOOK_URL_FORBIDDEN, ProblemCode.TOO_MANY_WEBHOOK_ENDPOINTS
)
REFUSED_CHANGES = problem_responses(*BAD_BODIES, ProblemCode.WEBHOOK_URL_FORBIDDEN, ProblemCode.NOT_FOUND)
REFUSED_ROTATIONS = problem_responses(*BAD_BODIES, ProblemCode.NOT_FOUND, ProblemCode.ROTATION_OVERLAPS)


@router.post("", status_code=201, openapi_extra=CREATE_BODY, responses=REFUSED_NEW)
async def post_webhook_endpoint(
    request: Request, caller: CallerDep, gateway: GatewayDep
) -> WebhookEndpointWithSecret:
    """Create an endpoint. Only this response has its secret."""
    wanted = await read_json(request, WebhookEndpointCreate, ())
    check_webhook_url(gateway.webhook_guard, str(wanted.url), "url")
    async with gateway.database.transaction() as session:
        return await session.run_sync(create_endpoint, caller.project_id, wanted)


@router.get("")
async def get_webhook_endpoints(
    caller: CallerDep,
    gateway: GatewayDep,
    job_id: JobFilter = None,
    after: EndpointCursor = None,
    limit: Limit = 20,
) -> WebhookEndpointList:
    """List the project's endpoints, newest first; with `job_id`, that of the job's request."""
    async with gateway.reads.transaction() as session:
        return await session.run_sync(list_endpoints, caller.project_id, job_id, after, limit)


@router.get("/default/secret")
async def get_default_secret(caller: CallerDep, gateway: GatewayDep) -> WebhookSecret:
    """Read the project's secret, which signs messages to the `webhook` of a job."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(read_default_secret, caller.project_id)


@router.post("/default/rotate_secret", openapi_extra=ROTATION_BODY, responses=REFUSED_ROTATIONS)
async def post_default_secret(request: Request, caller: CallerDep, gateway: GatewayDep) -> WebhookSecret:
    """Replace the project's secret; the old one signs as well for a while."""
    rotation = await read_optional_json(request, SecretRotation)
    async with gateway.database.transaction() as session:
        return await session.run_sync(rotate_default_secret, caller.project_id, rotation)


@router.get("/{endpoint_id}", responses=NOT_FOUND)
async def get_webhook_endpoint(
    caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId
) -> WebhookEndpointResponse:
    """Read an endpoint."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(read_endpoint, caller.project_id, endpoint_id)


@router.patch("/{endpoint_id}", openapi_extra=CHANGE_BODY, responses=REFUSED_CHANGES)
async def patch_webhook_endpoint(
    request: Request, caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId
) -> WebhookEndpointResponse:
    """Change the fields that the body has. Later tries of waiting deliveries use a new URL, too."""
    change = await read_json(request, WebhookEndpointChange, ())
    if change.url is not None:
        check_webhook_url(gateway.webhook_guard, str(change.url), "url")
    async with gateway.database.transaction() as session:
        return await session.run_sync(change_endpoint, caller.project_id, endpoint_id, change)


@router.delete(
    "/{endpoint_id}",
    status_code=204,
    responses={**NOT_FOUND, 204: {"description": "The endpoint is deleted."}},
)
async def delete_webhook_endpoint(
    caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId
) -> Response:
    """Delete an endpoint and its delivery log."""
    async with gateway.database.transaction() as session:
        await session.run_sync(delete_endpoint, caller.project_id, endpoint_id)
    return Response(status_code=204)


@router.post("/{endpoint_id}/rotate_secret", openapi_extra=ROTATION_BODY, responses=REFUSED_ROTATIONS)
async def post_rotate_secret(
    request: Request, caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId
) -> WebhookEndpointWithSecret:
    """Replace the secret or key; the old one signs as well for a while."""
    rotation = await read_optional_json(request, SecretRotation)
    async with gateway.database.transaction() as session:
        return await session.run_sync(rotate_secret, caller.project_id, endpoint_id, rotation)


@router.post("/{endpoint_id}/disable", responses=NOT_FOUND)
async def post_disable(
    caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId
) -> WebhookEndpointResponse:
    """Send nothing more to the endpoint, and give up what waits. Repeating this has no effect."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(disable, caller.project_id, endpoint_id)


@router.post("/{endpoint_id}/enable", responses=NOT_FOUND)
async def post_enable(
    caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId
) -> WebhookEndpointResponse:
    """Send further events to the endpoint; those that it has missed can be redelivered."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(enable, caller.project_id, endpoint_id)
