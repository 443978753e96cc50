"""Write an entry of the audit log into the transaction of the change."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from services.api.auth.actor import current_actor
from services.api.auth.networks import client_address
from shared.request_ids import request_id_of
from shared.tables import AuditEntry

RECORDED = "luminary.audit"
"""Key in `Session.info`: the transaction has an entry already."""


def record(
    session: Session,
    action: str,
    target: str,
    project_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Record a change by the caller of the current request, or by an operator if there is no request.

    target: public id of what was changed. project_id: its project; by default that of the caller.
    """
    actor = current_actor()
    values: dict[str, Any] = {"action": action, "target": target, "details": dict(details or {})}
    if actor is None:
        values["project_id"] = project_id
    else:
        values |= {
            "project_id": project_id or actor.caller.project_id,
            "key_id": actor.caller.key_id,
            "key_name": actor.caller.key_name,
            "address": client_address(actor.scope),
            "request_id": request_id_of(actor.scope),
        }
    session.execute(insert(AuditEntry).values(values))
    session.info[RECORDED] = True
