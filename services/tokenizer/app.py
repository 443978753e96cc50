"""The image tokenizer as a service: `uvicorn services.tokenizer.app:create_app --factory`."""

import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import torch
from fastapi import FastAPI

from services.tokenizer.metrics import Metrics
from services.tokenizer.movqgan import load_movqgan
from services.tokenizer.problems import install_problem_handlers
from services.tokenizer.routes import router
from services.tokenizer.service import TokenizerService
from services.tokenizer.settings import TokenizerServiceSettings
from shared.telemetry import configure_logging

logger = logging.getLogger(__name__)


def create_app(settings: TokenizerServiceSettings | None = None) -> FastAPI:
    """The application with its model; without settings they come from the environment.

    Raises MoVQGANError for a model that cannot be loaded.
    """
    if settings is None:
        settings = TokenizerServiceSettings()
        configure_logging("tokenizer", json_lines=not sys.stderr.isatty())
    metrics = Metrics()
    device = choose_device(settings.device)
    service = TokenizerService(load_movqgan(Path(settings.model), device=device), settings, metrics)
    logger.info(
        "image tokenizer loaded",
        extra={"tokenizer": service.name, "codes": service.codes, "device": str(device)},
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        """End the service's threads with the application."""
        yield
        service.close()

    app = FastAPI(title="Luminary image tokenizer", lifespan=lifespan)
    app.state.service = service
    app.state.settings = settings
    app.state.metrics = metrics
    app.include_router(router)
    install_problem_handlers(app, metrics)
    return app


def choose_device(name: str) -> torch.device:
    """The named device, or for "auto" the first GPU, if there is one."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
