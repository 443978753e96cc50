"""Decide from the test doorbells that a worker sends to itself whether broker messages still arrive.

A pure state machine; `self_ping` sends and receives the doorbells and acts on the state.
"""

from dataclasses import dataclass, replace

ROUNDS_UNTIL_DEAF = 3
"""Test doorbells in a row that the broker accepted and did not deliver before the next was due."""


@dataclass(frozen=True)
class Hearing:
    """The state at one moment. Each method is an event and returns the next state."""

    listening: bool = False
    """Whether Celery has a connection, as far as it knows. If not, it is connecting."""
    awaits_bell: bool = False
    """Whether a test doorbell was sent that has not arrived yet."""
    missed: int = 0
    """Number of rounds in a row whose test doorbell did not arrive."""

    @property
    def is_deaf(self) -> bool:
        """Whether the connection seems open but delivers no messages."""
        return self.missed >= ROUNDS_UNTIL_DEAF

    def connected(self) -> "Hearing":
        """Celery has begun to consume, on a new connection."""
        return Hearing(listening=True)

    def disconnected(self) -> "Hearing":
        """Celery has noticed that its connection is lost."""
        return Hearing()

    def round_begun(self) -> "Hearing":
        """The next doorbell is due; one that has not arrived by now is missed."""
        return replace(self, awaits_bell=False, missed=self.missed + 1) if self.awaits_bell else self

    def sending(self) -> "Hearing":
        """A doorbell is about to be sent. It may arrive before the broker has confirmed it to the sender."""
        return replace(self, awaits_bell=self.listening)

    def not_sent(self) -> "Hearing":
        """The broker did not accept the doorbell; it may have been down for the earlier ones, too."""
        return Hearing(self.listening)

    def heard(self) -> "Hearing":
        """A doorbell has arrived, possibly late."""
        return Hearing(self.listening)
