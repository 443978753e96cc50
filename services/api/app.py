"""The gateway: `uvicorn services.api.app:create_app --factory`. Wiring only."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.api.body_limits import BodyLimit
from services.api.gateway import open_gateway
from services.api.metrics import Metrics
from services.api.openapi import REFUSALS, describe_api
from services.api.problem_handlers import install_problem_handlers
from services.api.request_ids import RequestIds
from services.api.routes import health, images, jobs, models, problems
from shared.settings import Settings, load_settings
from shared.telemetry import configure_logging

DESCRIPTION = """
Luminary draws pictures with Lumina-mGPT 2.0. Post a job, then poll it, wait for it (`Prefer: wait=30`) or
give it a webhook. The same seed gives the same picture. Every refusal is an RFC 9457 problem with a stable
`code`.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; without settings they come from the environment."""
    if settings is None:
        settings = load_settings()
        configure_logging("gateway", json_lines=not sys.stderr.isatty())
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_gateway(settings, metrics) as gateway:
            app.state.gateway = gateway
            yield

    app = FastAPI(
        title="Luminary",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        responses=REFUSALS,
        generate_unique_id_function=lambda route: route.name,
    )
    app.openapi = lambda: describe_api(app)
    app.add_middleware(BodyLimit, max_bytes=settings.gateway.max_body_bytes)
    app.add_middleware(RequestIds)
    install_problem_handlers(app, settings.gateway.public_url, metrics)
    for routes in (jobs, images, models, problems, health):
        app.include_router(routes.router)
    return app
