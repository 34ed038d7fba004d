"""The payment of an order: our attempts, refunds and decisions, and the provider's facts."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.ids import OrderId, PersonId, Unit
from domain.payments.facts import ProviderFact


class FreedBy(StrEnum):
    """Why the units of an order were released before it was paid."""

    PAYMENT_FAILED = "PAYMENT_FAILED"
    """The deadline passed after a decline."""
    EXPIRED = "EXPIRED"
    """The deadline passed without an attempt to pay."""
    CANCELLED = "CANCELLED"
    """The buyer canceled the order, or the concert was canceled."""
    MISMATCH = "MISMATCH"
    """The provider took an amount or a currency that differs from the order's."""


class LateOutcome(StrEnum):
    """The outcome of a payment that arrived after the units had been released."""

    TAKEN = "TAKEN"
    """Units were taken again, and the order is valid."""
    REFUSED = "REFUSED"
    """No units could be taken; the payment is refunded."""


class RefundReason(StrEnum):
    REQUESTED = "REQUESTED"
    CONCERT_CANCELLED = "CONCERT_CANCELLED"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    """The payment arrived after the units had been sold to others."""
    ORDER_CANCELLED = "ORDER_CANCELLED"
    """The payment arrived after the order had been canceled."""
    DISPUTE_LOST = "DISPUTE_LOST"
    """The bank reversed a part of the payment, which ended the order. This refund returns the rest.
    """
    SECOND_PAYMENT = "SECOND_PAYMENT"
    MISMATCH = "MISMATCH"


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """An intent that we asked, or are about to ask, the provider to create."""

    number: int
    started_at: datetime
    intent_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund that we decided on. It is written before the provider is called."""

    number: int
    intent_id: str | None
    """None for an order that cost nothing: there is nothing to send."""
    amount_minor: int
    units: tuple[Unit, ...]
    """The units that the refund releases when it has succeeded."""
    reason: RefundReason
    requested_at: datetime
    requested_by: PersonId | None = None
    request_key: str = ""
    """The fingerprint of the request, used to recognize a repetition."""
    request_digest: str = ""
    replaces: int | None = None
    """The number of the refund that this one replaces, because that one failed or was never made.
    The provider repeats its answer to a failed request and forgets keys after a day, so the number
    must be new.
    """


@dataclass(frozen=True, slots=True)
class Payment:
    provider: str
    """The name of the provider: `stripe` or `sandbox`."""
    expires_at: datetime
    """The buyer's deadline. It is stored with the order and never changes."""
    attempts: tuple[PaymentAttempt, ...]
    """Empty for an order that never had to be paid. Such an order has a payment only to record its
    refunds, and the name of its provider is empty.
    """
    facts: tuple[ProviderFact, ...] = ()
    refunds: tuple[Refund, ...] = ()
    cancel_requested_at: datetime | None = None
    cancel_reason: str = ""
    """`BUYER` or `CONCERT`."""
    freed_by: FreedBy | None = None
    late: LateOutcome | None = None

    @property
    def attempt(self) -> PaymentAttempt:
        """Return the attempt that counts. Payments for earlier ones are refunded."""
        return self.attempts[-1]


class EffectState(StrEnum):
    DUE = "DUE"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Effects:
    """The work that must follow a paid order. Each transition writes the effects that it causes."""

    states: dict[str, EffectState] = field(default_factory=dict)
    """By name: `tickets`, `document`, `mail`, `sales`."""
    silent_refunds: tuple[int, ...] = ()
    """The numbers of the refunds that were made by an earlier version, which sent no mail."""


NO_EFFECTS = Effects()


def attempt_key(order_id: OrderId, number: int) -> str:
    """Return the idempotency key for an attempt."""
    return f"order:{order_id}:pay:{number}"


def refund_key(order_id: OrderId, number: int) -> str:
    return f"order:{order_id}:refund:{number}"
