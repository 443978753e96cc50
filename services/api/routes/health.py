"""Health, readiness and metrics, open to everyone who reaches the gateway."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.api.dependencies import GatewayDep
from services.api.readiness import Readiness, ask
from services.api.schemas import Health

router = APIRouter(tags=["operation"])


@router.get("/healthz", include_in_schema=False)  # the name that every service of the platform has for probes
@router.get("/health")
async def get_health() -> Health:
    """Whether the process answers; asks nobody else."""
    return Health()


@router.get("/readyz", include_in_schema=False)  # as above
@router.get("/ready", responses={503: {"model": Readiness, "description": "PostgreSQL does not answer."}})
async def get_readiness(gateway: GatewayDep, response: Response) -> Readiness:
    """Which servers answer. `degraded` (200): jobs are taken, but without the broker they start later, and
    without the object storage pictures can be neither stored nor read.
    """
    readiness = await ask(gateway.probes)
    response.status_code = 503 if readiness.status == "unavailable" else 200
    return readiness


@router.get("/metrics", include_in_schema=False)
async def get_metrics(gateway: GatewayDep) -> Response:
    """Prometheus' text format."""
    return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)
