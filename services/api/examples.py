"""Requests that the OpenAPI document shows, one for each kind of task; tests send them all."""

from fastapi.openapi.models import Example

IMAGE = "img_06bq5w3t8wxk9f4m2r7n1c0d5e"

JOB_EXAMPLES: dict[str, Example] = {
    "text_to_image": {
        "summary": "Draw a picture",
        "value": {"prompt": "a lighthouse in a storm, oil on canvas", "size": "768x768", "seed": 7, "n": 2},
    },
    "image_pair": {
        "summary": "Draw a picture and its depth map",
        "value": {"task": "image_pair", "prompt": "a quiet harbour", "target": "depth"},
    },
    "subject": {
        "summary": "Put the subject of a picture elsewhere",
        "value": {"task": "subject", "prompt": "the same dog on a beach", "image": IMAGE},
    },
    "control": {
        "summary": "Draw along the edges of a picture",
        "value": {"task": "control", "prompt": "a wooden house", "image": IMAGE, "control": "canny"},
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
