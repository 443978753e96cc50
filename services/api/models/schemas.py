"""Response bodies of /v1/models."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class NumericsVariant(BaseModel):
    """One numerics identity of a model: its short name, its parts, and the workers that have it."""

    model_config = ConfigDict(extra="allow")

    id: str
    workers: int
    """Number of workers with this identity."""
    slots: int
    """Jobs that these workers can run at the same time."""


class ModelResponse(BaseModel):
    """A model that running workers have loaded: OpenAI's fields, and what the workers report in addition."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "id": "tiny",
                    "object": "model",
                    "created": 1767268800,
                    "owned_by": "luminary",
                    "workers": 1,
                    "slots": 4,
                    "tasks": ["text_to_image", "edit", "dense"],
                    "default_size": "256x256",
                    "default_guidance_scale": 4.0,
                    "sizes": {"text_to_image": ["256x256"], "edit": ["256x256"], "dense": ["256x256"]},
                    "tokens_per_second": 41.5,
                    "largest_side": 1536,
                    "knows": ["ball", "cube", "red", "blue", "left", "right"],
                    "precision": "fp32",
                    "device": "cpu",
                    "numerics": [
                        {
                            "id": "af6343894caeda17",
                            "workers": 1,
                            "slots": 4,
                            "weights": "d231fed0bc0125fd",
                            "precision": "fp32",
                            "kernels": "PackedKernel SdpaAttention",
                            "device": "cpu x86_64 amx",
                            "noise": 1,
                            "arithmetic": "61b941aee0f99ae9",
                        }
                    ],
                }
            ]
        },
    )

    id: str
    object: Literal["model"] = "model"
    created: int
    """Unix time in seconds at which its oldest running worker started."""
    owned_by: Literal["luminary"] = "luminary"
    workers: int
    """Number of workers that have loaded the model."""
    slots: int
    """Jobs that these workers can run at the same time."""
    numerics: list[NumericsVariant]
    """Numerics identities, most slots first. Workers of different identities draw different bits."""


class ModelList(BaseModel):
    """The models that can draw jobs now."""

    object: Literal["list"] = "list"
    data: list[ModelResponse]
