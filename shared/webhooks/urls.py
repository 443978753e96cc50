"""Which URLs webhooks may reach."""

from shared.egress.guard import EgressGuard
from shared.settings import WebhookSettings


def guard_of(settings: WebhookSettings) -> EgressGuard:
    """The gateway checks URLs with it when they are registered, the io worker at every try."""
    return EgressGuard(ports=settings.ports, refused=settings.refused, allowed=settings.allowed_networks)
