"""Examples of sessions in the OpenAPI document."""

from typing import Any

from shared.schemas.examples import BASE, IMAGE_ID, JOB_EXAMPLE, JOB_ID

SESSION_ID = "ses_00t8bh6c9xf2s80r1v7m2k4q6w"
TURN_ID = "turn_00t8bh6dfsfk3t1a0b5n5scm5f"
CANDIDATE_ID = "cnd_00t8bh6ef7f1pv4b2d6m9qzs8x"
URL = f"{BASE}/images/{IMAGE_ID}/content"

TREE_TURN: dict[str, Any] = {
    "id": TURN_ID,
    "number": 1,
    "name": None,
    "note": None,
    "metadata": {},
    "parent": {"turn_id": None, "candidate_id": None, "image_id": None},
    "job_id": JOB_ID,
    "blocked_by": None,
    "task": "text_to_image",
    "prompt": "a lighthouse in a storm",
    "status": "succeeded",
    "progress": JOB_EXAMPLE["progress"],
    "error": None,
    "mask": None,
    "candidates": [
        {
            "id": CANDIDATE_ID,
            "index": 0,
            "image_id": IMAGE_ID,
            "url": URL,
            "thumbnail_url": f"{URL.removesuffix('/content')}/thumbnail",
            "width": 768,
            "height": 768,
            "score": 12.75,
            "partial": False,
            "starred": True,
            "expired": False,
            "restorable": False,
        }
    ],
    "created_at": "2026-01-01T12:00:00Z",
    "finished_at": "2026-01-01T12:00:30Z",
}
TURN_EXAMPLE: dict[str, Any] = {
    **TREE_TURN,
    "object": "turn",
    "session_id": SESSION_ID,
    "job": JOB_EXAMPLE,
}
SUMMARY: dict[str, Any] = {
    "id": SESSION_ID,
    "object": "session",
    "title": "Lighthouse",
    "note": None,
    "metadata": {},
    "root_image_id": None,
    "head": {
        "candidate_id": CANDIDATE_ID,
        "turn_id": TURN_ID,
        "image_id": IMAGE_ID,
        "url": URL,
        "version": 2,
        "can_undo": True,
        "can_redo": False,
    },
    "turn_count": 1,
    "created_at": "2026-01-01T12:00:00Z",
    "updated_at": "2026-01-01T12:00:30Z",
    "imported_from": None,
}
SESSION_EXAMPLE: dict[str, Any] = {**SUMMARY, "turns": [TREE_TURN], "has_more": False, "next_cursor": None}
LIST_EXAMPLE: dict[str, Any] = {
    "object": "list",
    "data": [SUMMARY],
    "has_more": False,
    "next_cursor": None,
}
