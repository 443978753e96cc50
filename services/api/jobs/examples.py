"""Example requests in the OpenAPI document, at least one for each task; tests send all of them."""

from typing import Any

from fastapi.openapi.models import Example

IMAGE = "img_06bq5w3t8wxk9f4m2r7n1c0d5e"

JOB_EXAMPLES: dict[str, Example] = {
    "text_to_image": {
        "summary": "Draw a picture",
        "value": {"prompt": "a lighthouse in a storm, oil on canvas", "size": "768x768", "seed": 7, "n": 2},
    },
    "best_of": {
        "summary": "Draw four pictures in a wide size and keep the best",
        "value": {"prompt": "a quiet harbour", "aspect_ratio": "3:2", "best_of": 4},
    },
    "negative_prompt": {
        "summary": "Draw a picture without something",
        "value": {"prompt": "a quiet harbour", "negative_prompt": "people", "guidance_scale": 4.0},
    },
    "image_pair": {
        "summary": "Draw a picture and its depth map",
        "value": {"task": "image_pair", "prompt": "a quiet harbour", "target": "depth"},
    },
    "subject": {
        "summary": "Draw the subject of a picture in another scene",
        "value": {"task": "subject", "prompt": "the same dog on a beach", "image": IMAGE},
    },
    "control": {
        "summary": "Draw along the edges of a picture",
        "value": {"task": "control", "prompt": "a wooden house", "image": IMAGE, "control": "edges"},
    },
    "edit": {
        "summary": "Change a picture",
        "value": {"task": "edit", "prompt": "make it winter", "image": IMAGE},
    },
    "dense": {
        "summary": "Segment a picture",
        "value": {"task": "dense", "image": IMAGE, "target": "segmentation"},
    },
}

JOB_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/JobRequest"},
                "examples": JOB_EXAMPLES,
            }
        },
    }
}
"""OpenAPI description of the body of POST /v1/jobs, which `json_bodies` reads instead of FastAPI."""
