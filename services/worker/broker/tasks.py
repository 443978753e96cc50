"""The Celery tasks: one doorbell for each queue, and the test doorbell of the worker.

The messages have no content, and the tasks return at once.
"""

from celery import Task, shared_task
from opentelemetry.trace import SpanKind

from services.worker.broker.doorbells import Bell
from services.worker.broker.liveness import Hearing
from services.worker.broker.self_ping import OWN_DOORBELL_TASK, Ear
from shared.doorbells import doorbell_task
from shared.jobs import Queue
from shared.tracing import names
from shared.tracing.contexts import context_of_headers
from shared.tracing.spans import leaf

bell = Bell()
"""The only bell of this process; its idle slots wait for it."""
ear = Ear()
"""Knows whether messages of the broker reach this process."""


def hear(queue: Queue, task: Task) -> None:
    """Wake an idle slot, and write the span of the message if it belongs to a traced job."""
    parent = context_of_headers(task.request.headers or {})
    attributes = {
        names.MESSAGING_SYSTEM: names.CELERY,
        names.MESSAGING_OPERATION: "process",
        names.MESSAGING_DESTINATION: queue.value,
    }
    span_name = names.HEAR_DOORBELL.format(queue=queue.value)
    with leaf(span_name, attributes, SpanKind.CONSUMER, parent):
        bell.ring()


@shared_task(name=doorbell_task(Queue.GENERATE), ignore_result=True, bind=True)
def answer_generate_doorbell(task: Task) -> None:
    """Wake an idle slot."""
    hear(Queue.GENERATE, task)


@shared_task(name=doorbell_task(Queue.EDIT), ignore_result=True, bind=True)
def answer_edit_doorbell(task: Task) -> None:
    """Wake an idle slot."""
    hear(Queue.EDIT, task)


@shared_task(name=doorbell_task(Queue.DENSE), ignore_result=True, bind=True)
def answer_dense_doorbell(task: Task) -> None:
    """Wake an idle slot."""
    hear(Queue.DENSE, task)


@shared_task(name=OWN_DOORBELL_TASK, ignore_result=True)
def answer_own_doorbell() -> None:
    """Record that a test doorbell has arrived."""
    ear.learn(Hearing.heard)
