"""The spans of an attempt's steps, with the attributes of the conventions for generative AI."""

import json
import os

from opentelemetry.trace import Span

from services.worker.job.candidates import Drawing, Recipe
from services.worker.job.steps import Step
from shared.tracing import names
from shared.tracing.spans import Attributes, set_attributes


def name_of_step(step: Step, model: str) -> str:
    """The name of a step's span."""
    return names.GENERATE.format(model=model) if step is Step.GENERATING else step.value


def request_attributes(model: str, recipe: Recipe, prompt: str) -> Attributes:
    """What the model was asked for, with the prompt only if the environment allows it."""
    sampling = recipe.sampling
    return {
        names.GEN_AI_INPUT: as_message(prompt) if may_show_prompts() else None,
        names.GEN_AI_OPERATION: names.GENERATE_CONTENT,
        names.GEN_AI_PROVIDER: names.PROVIDER,
        names.GEN_AI_OUTPUT_TYPE: names.IMAGE,
        names.GEN_AI_REQUEST_MODEL: model,
        names.GEN_AI_CHOICES: recipe.candidates,
        names.GEN_AI_SEED: sampling.seed,
        names.GEN_AI_TEMPERATURE: sampling.temperature,
        names.GEN_AI_TOP_K: sampling.top_k,
        names.GEN_AI_INPUT_TOKENS: recipe.plan.text_tokens,
    }


def may_show_prompts() -> bool:
    """Whether spans may contain prompts: OpenTelemetry's own variable, off by default."""
    return os.environ.get(names.CAPTURE_CONTENT, "").strip().lower() == "true"


def as_message(prompt: str) -> str:
    """The prompt in the format of the conventions."""
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}])


def add_results(span: Span, drawing: Drawing) -> None:
    """Add what the drawing has cost so far."""
    set_attributes(
        span,
        {
            names.GEN_AI_OUTPUT_TOKENS: drawing.fresh_codes,
            names.TOKENS_RESUMED: drawing.tokens_done - drawing.fresh_codes,
            names.FORWARD_PASSES: drawing.forward_passes,
        },
    )
