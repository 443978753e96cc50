"""Routes of the delivery log: read, send again, test."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, Limit
from services.api.http.json_bodies import read_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.webhooks.bodies import REDELIVERY_BODY
from services.api.webhooks.delivery_schemas import (
    DeliveryDetails,
    DeliveryList,
    DeliveryResponse,
    Redelivery,
    RedeliveryResponse,
)
from services.api.webhooks.parameters import DeliveryCursor, DeliveryId, EndpointId
from services.api.webhooks.redeliver import redeliver_one, redeliver_since, send_test
from services.api.webhooks.repository import find_endpoint, list_deliveries, read_details
from shared.tables import DeliveryState

router = APIRouter(
    prefix="/v1/webhook_endpoints/{endpoint_id}",
    tags=["webhooks"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
        ProblemCode.NOT_FOUND,
    ),
)
DISABLED = problem_responses(ProblemCode.WEBHOOK_ENDPOINT_DISABLED)
REFUSED_REDELIVERIES = problem_responses(
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.WEBHOOK_ENDPOINT_DISABLED,
)


@router.post("/test", status_code=202, responses=DISABLED)
async def post_test(caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId) -> DeliveryResponse:
    """Send an event of the type `webhook_endpoint.test`, once. Read the delivery to see the answer."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(send_test, caller.project_id, endpoint_id)


@router.get("/deliveries")
async def get_deliveries(
    caller: CallerDep,
    gateway: GatewayDep,
    endpoint_id: EndpointId,
    *,
    state: Annotated[
        list[DeliveryState] | None,
        Query(description="Only deliveries in this state; repeatable.", max_length=len(DeliveryState)),
    ] = None,
    after: DeliveryCursor = None,
    limit: Limit = 20,
) -> DeliveryList:
    """List the endpoint's deliveries, newest first."""
    async with gateway.reads.transaction() as session:
        endpoint = await session.run_sync(find_endpoint, caller.project_id, endpoint_id)
        return await session.run_sync(list_deliveries, endpoint, state or (), after, limit)


@router.get("/deliveries/{delivery_id}")
async def get_delivery(
    caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId, delivery_id: DeliveryId
) -> DeliveryDetails:
    """Read a delivery: the message, and the request and the answer of its last tries."""
    async with gateway.database.transaction() as session:
        endpoint = await session.run_sync(find_endpoint, caller.project_id, endpoint_id)
        return await session.run_sync(read_details, endpoint, delivery_id)


@router.post("/deliveries/{delivery_id}/redeliver", status_code=202, responses=DISABLED)
async def post_redeliver(
    caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId, delivery_id: DeliveryId
) -> DeliveryResponse:
    """Send a delivery again now, whatever its state; it gets all its tries anew."""
    async with gateway.database.transaction() as session:
        return await session.run_sync(redeliver_one, caller.project_id, endpoint_id, delivery_id)


@router.post("/redeliver", status_code=202, openapi_extra=REDELIVERY_BODY, responses=REFUSED_REDELIVERIES)
async def post_redeliver_since(
    request: Request, caller: CallerDep, gateway: GatewayDep, endpoint_id: EndpointId
) -> RedeliveryResponse:
    """Send ended deliveries again, oldest first: all those since a time that the receiver does not have."""
    wanted = await read_json(request, Redelivery, ())
    async with gateway.database.transaction() as session:
        return await session.run_sync(redeliver_since, caller.project_id, endpoint_id, wanted)
