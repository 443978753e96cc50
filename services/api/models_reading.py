"""Which models living workers offer."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.schemas import ModelList, ModelResponse
from shared.job_store.clock import time_after
from shared.tables import WorkerRow

OWN_FIELDS = set(ModelResponse.model_fields)


def living_workers(session: Session, lease_seconds: float) -> list[WorkerRow]:
    """Workers that were heard within a lease and take jobs, the oldest first."""
    statement = (
        select(WorkerRow)
        .where(WorkerRow.heartbeat_at > time_after(-lease_seconds), WorkerRow.draining.is_(False))
        .order_by(WorkerRow.started_at, WorkerRow.id)
    )
    return list(session.scalars(statement))


def models_of(workers: Iterable[WorkerRow]) -> ModelList:
    """The workers' models, each once, in the order of its oldest worker."""
    by_name: dict[str, list[WorkerRow]] = {}
    for worker in workers:
        by_name.setdefault(str(worker.model.get("name", "default")), []).append(worker)
    return ModelList(data=[model_of(name, workers) for name, workers in by_name.items()])


def model_of(name: str, workers: list[WorkerRow]) -> ModelResponse:
    """One model; what its oldest worker tells of it, such as tasks and sizes, is shown as it is."""
    told = {field: value for field, value in workers[0].model.items() if field not in OWN_FIELDS}
    return ModelResponse.model_validate(
        {
            **told,
            "id": name,
            "created": int(workers[0].started_at.timestamp()),
            "workers": len(workers),
            "slots": sum(worker.slots for worker in workers),
        }
    )
