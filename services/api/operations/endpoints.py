"""Health, readiness and metrics; no key is needed."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from services.api.dependencies import GatewayDep
from services.api.operations.schemas import Health
from services.api.process.readiness import Readiness, ask
from shared.metrics import metrics_text

router = APIRouter(tags=["operation"])


@router.get("/healthz", include_in_schema=False)  # all services of the platform have this path for probes
@router.get("/health")
async def get_health() -> Health:
    """200 while the process answers. No other server is checked."""
    return Health()


@router.get("/readyz", include_in_schema=False)  # as above
@router.get("/ready", responses={503: {"model": Readiness, "description": "PostgreSQL does not answer."}})
async def get_readiness(gateway: GatewayDep, response: Response) -> Readiness:
    """Report which servers answer. `degraded` (200): jobs are accepted, but without the broker they start
    later, and without the object storage pictures can be neither stored nor read.
    """
    readiness = await ask(gateway.probes)
    response.status_code = 503 if readiness.status == "unavailable" else 200
    return readiness


@router.get("/metrics", include_in_schema=False)
async def get_metrics(gateway: GatewayDep) -> Response:
    """The metrics of the gateway and of the whole platform in Prometheus' text format."""
    for figures in (gateway.work, gateway.fleet):
        await figures.refresh()
    return Response(metrics_text(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)
