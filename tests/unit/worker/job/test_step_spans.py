"""Attributes of the drawing's span: OpenTelemetry's conventions, and a prompt only if it is allowed."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.job.candidates import Recipe
from services.worker.job.step_spans import request_attributes
from shared.tracing import names

RECIPE = Recipe(cast("Any", SimpleNamespace(text_tokens=5)), SamplingParameters(seed=7, top_k=9), 2, b"")


def test_the_request_is_described_without_its_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(names.CAPTURE_CONTENT, raising=False)
    attributes = request_attributes("tiny", RECIPE, "a secret")
    shown = {name: value for name, value in attributes.items() if value is not None}
    assert shown["gen_ai.operation.name"] == "generate_content"
    assert shown["gen_ai.output.type"] == "image"
    assert (shown["gen_ai.request.model"], shown["gen_ai.request.seed"]) == ("tiny", 7)
    assert (shown["gen_ai.request.choice.count"], shown["gen_ai.request.top_k"]) == (2, 9)
    assert "secret" not in str(shown)


def test_the_standard_variable_allows_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.CAPTURE_CONTENT, "true")
    message = request_attributes("tiny", RECIPE, "a prompt")["gen_ai.input.messages"]
    assert json.loads(str(message))[0]["parts"] == [{"type": "text", "content": "a prompt"}]
