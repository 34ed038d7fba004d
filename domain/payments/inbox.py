"""Events from a payment provider, between their arrival and their effect on an order.

An event is recorded before the provider gets its answer, and applied later. Applying an event again
changes nothing, so an event is never lost and need not be applied exactly once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.ids import ConcertId, OrderId
from domain.payments.facts import ProviderFact

PARKED_FOR = timedelta(hours=72)
"""As long as Stripe repeats a webhook that it could not deliver."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=10)
LONGEST_OUTAGE_PAUSE = timedelta(seconds=10)
"""The longest pause while a store or the provider does not answer."""


class InboxState(StrEnum):
    NEW = "NEW"
    PARKED = "PARKED"
    """The order does not exist yet, or the event could not be applied. It is tried again."""
    APPLIED = "APPLIED"
    DROPPED = "DROPPED"
    """The event is about an object that this installation did not create."""
    QUARANTINED = "QUARANTINED"
    """The event belongs to the provider's other mode (live or test). It is never applied."""
    REPORTED = "REPORTED"
    """The event could not be applied for 72 hours, and the operators have been told."""


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """A verified event from the provider. It holds facts and ids, but no data about the card
    holder.
    """

    id: str
    """The provider's id of the event. Of several deliveries with the same id, only one is recorded.
    """
    kind: str
    """The provider's name of the event type, such as `payment_intent.succeeded`."""
    provider: str
    intent_id: str | None
    order_id: OrderId | None
    """None if the provider's object, such as a dispute, does not carry our metadata."""
    concert_id: ConcertId | None
    facts: tuple[ProviderFact, ...]
    created_at: datetime
    """By the provider's clock."""
    received_at: datetime
    state: InboxState = InboxState.NEW
    due_at: datetime | None = None
    """When to try to apply the event next, or None if it will not be tried again."""
    problem: str = ""
    """Why the event has not been applied yet."""
    traceparent: str | None = None
    """The trace of the webhook, as W3C Trace Context writes it; None if it was not traced."""

    def ended(self, state: InboxState, problem: str = "") -> "InboxEvent":
        return replace(self, state=state, due_at=None, problem=problem)

    def parked(self, problem: str, *, now: datetime) -> "InboxEvent":
        """Return the event with the time of its next attempt, or as REPORTED if it has waited for
        72 hours.

        The pauses double, because each is as long as the time since the arrival.
        """
        age = now - self.received_at
        if age >= PARKED_FOR:
            return self.ended(InboxState.REPORTED, problem)
        pause = min(max(age, FIRST_PAUSE), LONGEST_PAUSE)
        return replace(self, state=InboxState.PARKED, due_at=now + pause, problem=problem)

    def postponed(self, *, now: datetime) -> "InboxEvent":
        """Return the event with the time of its next attempt after an outage, however long it has
        waited.
        """
        pause = min(max(now - self.received_at, FIRST_PAUSE), LONGEST_OUTAGE_PAUSE)
        return replace(self, due_at=now + pause)
