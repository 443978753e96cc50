"""The Celery tasks: one doorbell for each queue, and the test doorbell of the worker.

The messages have no content, and the tasks return at once.
"""

from celery import shared_task

from services.worker.broker.doorbells import Bell
from services.worker.broker.liveness import Hearing
from services.worker.broker.self_ping import OWN_DOORBELL_TASK, Ear
from shared.doorbells import doorbell_task
from shared.jobs import Queue

bell = Bell()
"""The only bell of this process; its idle slots wait for it."""
ear = Ear()
"""Knows whether messages of the broker reach this process."""


@shared_task(name=doorbell_task(Queue.GENERATE), ignore_result=True)
def answer_generate_doorbell() -> None:
    """Wake an idle slot."""
    bell.ring()


@shared_task(name=doorbell_task(Queue.EDIT), ignore_result=True)
def answer_edit_doorbell() -> None:
    """Wake an idle slot."""
    bell.ring()


@shared_task(name=doorbell_task(Queue.DENSE), ignore_result=True)
def answer_dense_doorbell() -> None:
    """Wake an idle slot."""
    bell.ring()


@shared_task(name=OWN_DOORBELL_TASK, ignore_result=True)
def answer_own_doorbell() -> None:
    """Record that a test doorbell has arrived."""
    ear.learn(Hearing.heard)
