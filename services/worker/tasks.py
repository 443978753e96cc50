"""The Celery tasks: doorbells, one a queue, and the worker's own.

A message carries nothing, and the task returns at once.
"""

from celery import shared_task

from services.worker.doorbells import Bell, doorbell_task
from services.worker.hearing import Hearing
from services.worker.own_doorbell import OWN_DOORBELL_TASK, Ear
from shared.jobs import Queue

bell = Bell()
"""The one bell of this process; its idle slots listen to it."""
ear = Ear()
"""Whether this process hears its broker."""


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
    """Note that it was heard."""
    ear.learn(Hearing.heard)
