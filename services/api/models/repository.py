"""Read the models that running workers offer."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.models.schemas import ModelList, ModelResponse, NumericsVariant
from shared.job_store.clock import time_after
from shared.tables import WorkerRow

OWN_FIELDS = set(ModelResponse.model_fields)


def living_workers(session: Session, lease_seconds: float) -> list[WorkerRow]:
    """Workers that accept jobs and sent a heartbeat within the last lease time, oldest first."""
    statement = (
        select(WorkerRow)
        .where(WorkerRow.heartbeat_at > time_after(-lease_seconds), WorkerRow.draining.is_(False))
        .order_by(WorkerRow.started_at, WorkerRow.id)
    )
    return list(session.scalars(statement))


def latest_workers(session: Session) -> list[WorkerRow]:
    """The worker that sent the last heartbeat, living or not; empty if none ever did."""
    return list(session.scalars(select(WorkerRow).order_by(WorkerRow.heartbeat_at.desc()).limit(1)))


def models_of(workers: Iterable[WorkerRow]) -> ModelList:
    """The models of the workers, each once, in the order of their oldest worker."""
    by_name: dict[str, list[WorkerRow]] = {}
    for worker in workers:
        by_name.setdefault(str(worker.model.get("name", "default")), []).append(worker)
    return ModelList(data=[model_of(name, workers) for name, workers in by_name.items()])


def model_of(name: str, workers: list[WorkerRow]) -> ModelResponse:
    """One model; tasks, sizes and other fields are copied from its oldest worker."""
    reported = {field: value for field, value in workers[0].model.items() if field not in OWN_FIELDS}
    return ModelResponse.model_validate(
        {
            **reported,
            "id": name,
            "created": int(workers[0].started_at.timestamp()),
            "workers": len(workers),
            "slots": sum(worker.slots for worker in workers),
            "numerics": variants_of(workers),
        }
    )


def variants_of(workers: Iterable[WorkerRow]) -> list[NumericsVariant]:
    """Numerics identities of the workers, most slots first, without workers that do not know theirs yet."""
    by_id: dict[str, list[WorkerRow]] = {}
    for worker in workers:
        if worker.numerics is not None:
            by_id.setdefault(worker.numerics, []).append(worker)
    variants = [
        NumericsVariant.model_validate(
            {
                **alike[0].model.get("numerics", {}),
                "id": name,
                "workers": len(alike),
                "slots": sum(worker.slots for worker in alike),
            }
        )
        for name, alike in by_id.items()
    ]
    return sorted(variants, key=lambda variant: (-variant.slots, variant.id))
