"""Names of models as OpenAI's clients know them: aliases such as `gpt-image-1`, which a setting defines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.jobs.admission import Offer
from services.api.models.repository import living_workers
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.tables import WorkerRow

SHOWN = (
    *("gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-2", "chatgpt-image-latest"),
    *("dall-e-2", "dall-e-3"),
)
"""Names that clients offer their users, or filter lists of models by."""


@dataclass(frozen=True)
class Alias:
    """A name or a pattern with `*`, and the model it stands for; None is any model that a worker has."""

    pattern: str
    model: str | None

    def fits(self, name: str) -> bool:
        """Whether the alias covers the name."""
        return fnmatchcase(name, self.pattern)

    @property
    def names(self) -> list[str]:
        """The names to show for it."""
        return [name for name in SHOWN if self.fits(name)] if "*" in self.pattern else [self.pattern]


@dataclass(frozen=True)
class ChosenModel:
    """The model of a request."""

    asked: str | None
    """The name that the client sent."""
    name: str | None
    """Name for the job; None for any model."""
    offers: Sequence[Offer]
    """What the living workers that have it can draw; empty while none runs."""


def aliases(setting: Iterable[str]) -> list[Alias]:
    """The aliases of the setting: `pattern` or `pattern=model`."""
    parts = (text.partition("=") for text in setting)
    return [Alias(pattern.strip(), model.strip() or None) for pattern, _, model in parts]


async def choose_model(gateway: Gateway, asked: str | None) -> ChosenModel:
    """The model that a name stands for. Raises Problem (model_not_found)."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
        known = await session.run_sync(known_models)
    name = resolve(asked, known, aliases(gateway.settings.gateway.openai_aliases))
    offers: list[dict[str, Any]] = [worker.model for worker in workers]
    return ChosenModel(asked, name, [offer for offer in offers if name in (None, offer.get("name"))])


def resolve(asked: str | None, known: Iterable[str], given: Iterable[Alias]) -> str | None:
    """The model's own name; None for any model. A model's own name goes before aliases. Raises Problem."""
    own = set(known)
    if asked is None or asked in own:
        return asked
    for alias in given:
        if alias.fits(asked):
            return alias.model
    listed = ", ".join(sorted(own)) or "none: no worker has run yet"
    raise Problem(
        ProblemCode.MODEL_NOT_FOUND,
        f"The model `{asked[:100]}` does not exist. Models: {listed}.",
        param="model",
    )


def known_models(session: Session) -> frozenset[str]:
    """Names of the models of all workers, including those that were lost a while ago."""
    return frozenset(
        str(model["name"]) for model in session.scalars(select(WorkerRow.model)) if "name" in model
    )
