"""The tokenizer service's application: `uvicorn services.tokenizer.app:create_app --factory`."""

import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import torch
from fastapi import Depends, FastAPI

from services.tokenizer.access import check_secret
from services.tokenizer.metrics import Metrics
from services.tokenizer.movqgan import load_movqgan
from services.tokenizer.ongoing import Ongoing
from services.tokenizer.patient_answers import bytes_of
from services.tokenizer.problems import install_problem_handlers
from services.tokenizer.routes import router
from services.tokenizer.service import TokenizerService
from services.tokenizer.settings import TokenizerProcessSettings, TokenizerServiceSettings
from services.tokenizer.watermark_searches import WatermarkSearches
from shared.noise_keys import NoiseSecret
from shared.request_ids import RequestIds
from shared.security_headers import SecurityHeaders
from shared.settings import load_settings
from shared.telemetry import configure_logging
from shared.tracing.requests import request_spans
from shared.tracing.setup import configure_tracing

logger = logging.getLogger(__name__)


def create_app(
    settings: TokenizerServiceSettings | None = None, noise_secret: NoiseSecret | None = None
) -> FastAPI:
    """Make the application and load its model. Settings that are not passed are read from the environment.

    noise_secret: what pictures are searched for; None to search for nothing.

    Raises MoVQGANError if the model cannot be loaded, SettingsError if environment variables are invalid.
    """
    if settings is None:
        process = load_settings(TokenizerProcessSettings)
        settings, noise_secret = process.tokenizer, process.noise.parsed()
        configure_logging("tokenizer", process.log, json_lines=not sys.stderr.isatty())
        configure_tracing("tokenizer")
    metrics = Metrics()
    device = choose_device(settings.device)
    service = TokenizerService(load_movqgan(Path(settings.model), device=device), settings, metrics)
    logger.info(
        "image tokenizer loaded",
        extra={"tokenizer": service.name, "codes": service.codes, "device": str(device)},
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        """End the service's threads when the application ends."""
        yield
        app.state.work.close()
        app.state.searches.close()
        await service.close()

    app = FastAPI(title="Luminary image tokenizer", lifespan=lifespan, telemetry=request_spans())
    app.state.service = service
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.searches = WatermarkSearches(noise_secret)
    app.state.work = Ongoing(bytes_of)
    app.include_router(router, dependencies=[Depends(check_secret)])
    app.add_middleware(RequestIds)
    app.add_middleware(SecurityHeaders)
    install_problem_handlers(app, metrics)
    return app


def choose_device(name: str) -> torch.device:
    """The named device; for "auto" the first GPU, or the CPU if there is none."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
