"""The gateway: `uvicorn services.api.app:create_app --factory`. Wiring only."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.api.audit import endpoints as audit
from services.api.audit.requests import record_request
from services.api.auth.actor import current_project
from services.api.auth.middleware import Authentication, PrivateAnswers, project_of
from services.api.events import endpoints as events
from services.api.events.feed import open_feed
from services.api.http.body_limits import BodyLimit, BodyLimits, BodyRule
from services.api.http.body_room import BodyRoom
from services.api.http.cross_origin import CORS
from services.api.http.error_handlers import ProblemAnswers, leave_exceptions_to_problem_answers
from services.api.http.head_requests import HeadAsGet
from services.api.http.metrics import Metrics
from services.api.http.request_headers import HeaderRules
from services.api.http.request_metrics import RequestMetrics
from services.api.images import endpoints as images
from services.api.jobs import endpoints as jobs
from services.api.mcp import endpoints as mcp
from services.api.mcp.door import open_door
from services.api.models import endpoints as models
from services.api.openai.batches import endpoints as openai_batches
from services.api.openai.batches.runner import open_batches
from services.api.openai.chat import endpoints as openai_chat
from services.api.openai.files import endpoints as openai_files
from services.api.openai.images import endpoints as openai_images
from services.api.openai.models import endpoints as openai_models
from services.api.openai.pictures import endpoints as openai_pictures
from services.api.openai.responses import conversation_endpoints as openai_conversations
from services.api.openai.responses import endpoints as openai_responses
from services.api.openapi import REFUSALS, describe_api
from services.api.operations import endpoints as health
from services.api.operations import problem_pages as problems
from services.api.operations import reference
from services.api.problems.codes import ProblemCode
from services.api.process.gateway import open_gateway
from services.api.projects import endpoints as projects
from services.api.projects import key_endpoints as api_keys
from services.api.provenance import endpoints as provenance
from services.api.provenance.pace import CheckPace
from services.api.quotas.requests import RequestQuotas
from services.api.sdapi import endpoints as sdapi
from services.api.sdapi.previews import Previews
from services.api.sessions import endpoints as sessions
from services.api.sessions import head_endpoints as session_heads
from services.api.sessions import import_endpoints as session_imports
from services.api.sessions import turn_endpoints as session_turns
from services.api.settings import GatewayProcessSettings, GatewaySettings
from services.api.usage import endpoints as usage
from services.api.webhooks import delivery_endpoints as deliveries
from services.api.webhooks import endpoints as webhooks
from shared.links import IMPORT_PATH
from shared.request_ids import RequestIds
from shared.security_headers import SecurityHeaders
from shared.settings import load_settings
from shared.telemetry import configure_logging
from shared.tracing.requests import request_spans
from shared.tracing.setup import configure_tracing

DESCRIPTION = """
Luminary draws pictures with Lumina-mGPT 2.0. Post a job, then poll it, wait for it (`Prefer: wait=30`) or
let a webhook report its end. The same seed gives the same picture. Every error response is an RFC 9457
problem with a stable `code`.
"""


def create_app(settings: GatewayProcessSettings | None = None) -> FastAPI:
    """Make the application. Settings that are not passed are read from the environment."""
    if settings is None:
        settings = load_settings(GatewayProcessSettings)
        configure_logging("gateway", settings.log, json_lines=not sys.stderr.isatty())
        configure_tracing("gateway")
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with (
            open_gateway(settings, metrics, record_request, current_project) as gateway,
            open_feed(gateway) as feed,
            open_batches(gateway),
        ):
            app.state.gateway, app.state.feed = gateway, feed
            app.state.previews = Previews(feed)
            async with open_door(gateway) as app.state.mcp:
                try:
                    yield
                finally:
                    app.state.previews.close()

    app = FastAPI(
        title="Luminary",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        responses=REFUSALS,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry=request_spans(),
    )
    app.state.check_pace = CheckPace(settings.gateway.checks_per_minute)
    app.openapi = lambda: describe_api(app)
    install_middleware(app, settings.gateway, metrics)
    resources = (
        *(events, jobs, session_imports, sessions, session_turns, session_heads),
        *(images, models, provenance, webhooks, deliveries),
        *(openai_batches, openai_files, openai_images, openai_models, openai_pictures),
        *(sdapi, mcp),
        *(openai_chat, openai_responses, openai_conversations),
        *(projects, api_keys, audit, usage),
    )
    for routes in (*resources, problems, health, reference):
        app.include_router(routes.router)
    return app


def end_streams(app: FastAPI) -> None:
    """End the event streams of an application that stops; they have no end of their own."""
    app.state.feed.leave()


def install_middleware(app: FastAPI, settings: GatewaySettings, metrics: Metrics) -> None:
    """Add the middleware from the innermost to the outermost: a request meets the last one added first."""
    limits = BodyLimits(settings.max_body_bytes, settings.body_idle_seconds, settings.body_seconds)
    imports = BodyLimits(
        settings.max_import_bytes,
        settings.body_idle_seconds,
        settings.import_seconds,
        ProblemCode.IMPORT_TOO_LARGE,
    )
    app.add_middleware(
        BodyLimit,
        rule=BodyRule(limits, BodyRoom(settings.max_bodies_bytes)),
        rules={IMPORT_PATH: BodyRule(imports, BodyRoom(2 * settings.max_import_bytes))},
        owner_of=project_of,
    )
    app.add_middleware(
        RequestQuotas,
        most_at_once=settings.max_requests_per_project,
        per_minute=settings.requests_per_minute,
    )
    app.add_middleware(Authentication)
    app.add_middleware(HeaderRules)
    app.add_middleware(ProblemAnswers, public_url=settings.public_url, metrics=metrics)
    app.add_middleware(HeadAsGet)
    app.add_middleware(PrivateAnswers)
    app.add_middleware(RequestIds)
    app.add_middleware(RequestMetrics, metrics=metrics)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **CORS)
    app.add_middleware(SecurityHeaders, public_url=settings.public_url)
    if settings.trusted_proxies:
        app.add_middleware(
            ProxyHeadersMiddleware, trusted_hosts=[str(one) for one in settings.trusted_proxies]
        )
    leave_exceptions_to_problem_answers(app)
