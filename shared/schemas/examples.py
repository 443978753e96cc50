"""The example of a finished job in the OpenAPI document."""

from typing import Any

BASE = "http://127.0.0.1:8000/v1"
JOB_ID = "job_00t8bh6dfsfk3t1a0b5n5scm5e"
IMAGE_ID = "img_00t8bh6ef7f1pv3n8q0sxghg3w"

JOB_EXAMPLE: dict[str, Any] = {
    "id": JOB_ID,
    "object": "job",
    "status": "succeeded",
    "task": "text_to_image",
    "attempt": 1,
    "numerics": "af6343894caeda17",
    "numerics_changed": None,
    "queue_position": None,
    "progress": {
        "phase": None,
        "phase_fraction": None,
        "tokens_done": 9216,
        "tokens_total": 9216,
        "tokens_per_second": 310.5,
        "prefill_rows_done": 46,
        "prefill_rows": 46,
        "eta_seconds": None,
        "eta_p50": None,
        "eta_p90": None,
        "worker_lost_seconds": None,
    },
    "outputs": [
        {
            "id": IMAGE_ID,
            "candidate_id": "cnd_00t8bh6ef7f1pv4b2d6m9qzs8x",
            "index": 0,
            "drawn_index": 0,
            "url": f"{BASE}/images/{IMAGE_ID}/content",
            "png_url": f"{BASE}/images/{IMAGE_ID}/content",
            "thumbnail_url": f"{BASE}/images/{IMAGE_ID}/thumbnail",
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "tokens_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
            "width": 768,
            "height": 768,
            "score": 12.75,
            "partial": False,
            "changed_cells": None,
            "expired": False,
            "restorable": False,
        }
    ],
    "partial_pending": False,
    "scores": None,
    "warnings": [],
    "error": None,
    "usage": {"images": 1, "prompt_tokens": 42, "tokens_done": 9216, "compute_seconds": 29.7},
    "request": {"task": "text_to_image", "prompt": "a lighthouse in a storm", "n": 1, "seed": 7},
    "metadata": {},
    "retry_of": None,
    "retries": [],
    "replay": None,
    "created_at": "2026-01-01T12:00:00Z",
    "started_at": "2026-01-01T12:00:00.02Z",
    "finished_at": "2026-01-01T12:00:30Z",
    "links": {
        "self": f"{BASE}/jobs/{JOB_ID}",
        "cancel": f"{BASE}/jobs/{JOB_ID}/cancel",
        "retry": f"{BASE}/jobs/{JOB_ID}/retry",
        "replay": f"{BASE}/jobs/{JOB_ID}/replay",
    },
}
