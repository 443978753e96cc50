"""Warn of a request that is accepted although its pictures will probably not show what it says; pure."""

from collections.abc import Sequence
from typing import Any

from services.api.jobs.admission import Offer
from shared.known_words import unknown_words_warning
from shared.schemas.jobs import JobRequest

TEXTS = ("prompt", "negative_prompt")
"""Fields with words for the model."""


def warnings_of(offers: Sequence[Offer], request: JobRequest) -> list[dict[str, Any]]:
    """The `warnings` of a job: one for each text with words that none of the fitting models knows.

    A model that does not list its words is taken to know all of them.
    """
    lists = [offer.get("knows") for offer in offers if request.model in (None, offer.get("name"))]
    if not lists or not all(lists):
        return []
    knows = list(dict.fromkeys(word for words in lists for word in words or ()))
    found = [unknown_words_warning(name, getattr(request, name) or "", knows) for name in TEXTS]
    return [warning for warning in found if warning is not None]
