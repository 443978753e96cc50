"""Record requests that change something, by their routes, in the first of their transactions that writes."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.api.audit.record import RECORDED, record
from services.api.auth.actor import Actor, current_actor

CHANGING = frozenset({"PATCH", "PUT", "DELETE"})
JOB_CANCELED = "job.canceled"
ACTIONS = {
    "delete_ended_job": "job.deleted",
    "delete_webhook_endpoint": "webhook_endpoint.deleted",
    "patch_session": "session.changed",
    "patch_turn": "turn.changed",
    "patch_webhook_endpoint": "webhook_endpoint.changed",
    "post_cancel": JOB_CANCELED,
    "post_default_secret": "webhook_secret.rotated",
    "post_disable": "webhook_endpoint.disabled",
    "post_enable": "webhook_endpoint.enabled",
    "post_redeliver": "delivery.repeated",
    "post_redeliver_since": "deliveries.repeated",
    "post_rotate_secret": "webhook_endpoint.secret_rotated",
    "remove_session": "session.deleted",
    "remove_turn": "turn.deleted",
}
"""Actions by the name of the route. Other routes with a method of CHANGING are recorded by their own name."""
UNRECORDED = frozenset({"move_to", "put_star", "delete_star"})
"""Moves of a session's head, and stars: a person at work does them all the time, and loses nothing."""
HAS_WRITTEN = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
DONE = "luminary.audited"
"""Key in the request's scope: it has been recorded."""


def record_request(session: Session) -> None:
    """Record the current request if it changes something, and if this transaction has written."""
    already_recorded = session.info.pop(RECORDED, False)
    actor = current_actor()
    if actor is None or DONE in actor.scope:
        return
    action = action_of(actor)
    if action is None:
        return
    if not already_recorded and not record_if_written(session, action, target_of(actor)):
        return
    actor.scope[DONE] = True


def record_if_written(session: Session, action: str, target: str) -> bool:
    """Record a change if this transaction has written; whether it has. target: public id."""
    session.flush()
    if not session.scalar(HAS_WRITTEN):
        return False
    record(session, action, target)
    return True


def action_of(actor: Actor) -> str | None:
    """Name of the request's action, if it is recorded by its route."""
    name: str | None = getattr(actor.scope.get("route"), "name", None)
    if name is None or name in UNRECORDED:
        return None
    return ACTIONS.get(name) or (name if actor.scope["method"] in CHANGING else None)


def target_of(actor: Actor) -> str:
    """The ids in the path, the last one first; the path if it has none."""
    named: dict[str, Any] = actor.scope.get("path_params", {})
    return " of ".join(str(value) for value in reversed(named.values())) or actor.scope["path"]
