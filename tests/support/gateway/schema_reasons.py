"""A check for schemathesis: a request that matches the schema is refused only for reasons beyond a schema.

It is loaded through SCHEMATHESIS_HOOKS. The tool's own check cannot distinguish an unknown id from a field
that the code validates differently from its schema; this check can, by the codes in `errors`.
"""

from typing import Any

import schemathesis

REASONS = {
    "not_found": "an id that does not exist",
    "idempotency_key_reused": "a key that another request has used",
    "image_expired": "",
    "image_unreadable": "bytes that are not a picture",
    "image_unavailable": "a URL that cannot be fetched",
    "image_url_forbidden": "a URL that must not be fetched",
    "image_too_large": "",
    "webhook_url_forbidden": "a URL that webhooks must not reach",
    "model_unavailable": "a model that no worker has",
    "in_the_past": "a deadline that has passed",
    "deadlines_reversed": "two fields that contradict each other",
    "missing_for_task": "fields that depend on another",
    "not_for_task": "",
    "mode_without_mask": "",
    "best_of_below_n": "",
    "needs_guidance": "",
    "canvas_without_control": "",
    "controls_conflict": "",
    "nothing_to_draw": "",
    "side_not_extendable": "a side whose cells would not see the old picture",
    "size_and_ratio": "",
    "quality_without_format": "",
    "invalid_request": "a time that is outside of the calendar in UTC",
    "time_invalid": "a time that does not exist, such as a leap second",
    "url_parsing": "a URI that is not a web URL",
    "url_scheme": "",
    "url_too_long": "a URL that gets too long once its host is written in ASCII",
}


@schemathesis.check
def refused_for_a_reason_beyond_the_schema(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Fail if schema-valid data is refused for a reason that the schema could express."""
    del ctx
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    surprising = [error for error in response.json()["errors"] if error["code"] not in REASONS]
    assert not surprising, f"the schema allows what is refused: {surprising}"
