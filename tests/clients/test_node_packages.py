"""OpenAI's Node package and Vercel's AI SDK, unchanged, on a whole platform."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[[str], dict[str, Any]]
PNG = "iVBORw0K"
"""The first characters of a PNG in base64."""
pytestmark = pytest.mark.timeout(1200)


def test_the_node_package_draws_edits_streams_and_orders_batches(run_node: Run) -> None:
    told = run_node("openai_node.mjs")
    assert told["generate"]["pictures"] == [PNG, PNG]
    assert told["generate"]["tokens"] > 0
    assert told["edit"] == [PNG]
    assert told["several"] == 1
    assert told["stream"][-1] == "image_generation.completed"
    assert set(told["stream"][:-1]) <= {"image_generation.partial_image"}
    assert told["errors"]["model"] == {
        "kind": "BadRequestError",
        "code": "model_not_found",
        "param": "model",
        "type": "invalid_request_error",
    }
    assert told["errors"]["field"]["param"] == "size"
    assert told["errors"]["key"]["kind"] == "AuthenticationError"
    assert told["batch"] == {"counts": {"total": 2, "completed": 2, "failed": 0}, "ids": ["a", "b"]}
    assert {"tiny", "gpt-image-1"} <= set(told["models"])
    assert told["responses"] == {
        "pictures": [PNG, PNG, PNG],
        "different": 3,
        "last": "response.completed",
        "same": True,
        "previous": True,
    }


def test_the_ai_sdk_draws_and_edits_with_both_of_its_providers(run_node: Run) -> None:
    told = run_node("ai_sdk.mjs")
    for provider in ("openai", "compatible"):
        assert told[provider] == ["image/png", "image/png"]
        assert told[f"{provider}_edit"] == ["image/png"]
    assert told["responses"] == [["image_generation", PNG]]
    assert told["error"]["status"] == 400
    assert "invalid-model" in told["error"]["message"]
