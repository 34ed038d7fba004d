"""The port to a payment provider, and the values that cross it.

Amounts are in minor units of ISO 4217; an adapter converts them to the provider's own unit.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.ids import ConcertId, OrderId
from domain.money import CurrencyCode, Money
from domain.payments.facts import ProviderFact
from domain.payments.payment import PaymentAttempt, Refund

KEYS_LAST = timedelta(hours=20)
"""How long an object may be requested again under its idempotency key. Providers forget keys after
24 hours, and would then create a second object.
"""


@dataclass(frozen=True, slots=True)
class OrderReference:
    """The order to which an object at the provider belongs, as recorded in its metadata."""

    order_id: OrderId
    concert_id: ConcertId
    installation: str
    """The id of this installation. Two installations may share one account at the provider."""


@dataclass(frozen=True, slots=True)
class Intent:
    """The current state of a payment intent at the provider."""

    id: str
    client_secret: str | None
    facts: tuple[ProviderFact, ...]
    """The facts about the intent and its last decline."""
    reference: OrderReference | None
    """None if the intent was not created by an installation of Onsale."""
    attempt: int | None
    """The number of the attempt in the metadata."""
    created_at: datetime
    """By the provider's clock, in whole seconds."""


@dataclass(frozen=True, slots=True)
class ListedIntent:
    """An intent in the list of the whole account."""

    created_at: datetime
    intent: Intent | None
    """None if another program or installation created it."""


@dataclass(frozen=True, slots=True)
class AmountLimits:
    """The smallest and the largest amount of one payment, in minor units of ISO 4217."""

    lowest: int
    highest: int
    step: int = 1
    """Every amount must be a multiple of this."""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A verified message from the provider."""

    id: str
    kind: str
    """The provider's name of the event type, such as `payment_intent.succeeded`."""
    is_live: bool
    created_at: datetime
    reference: OrderReference | None
    intent_id: str | None
    facts: tuple[ProviderFact, ...]
    """Empty for an event type that says nothing about an order."""


class ProviderUnavailable(Exception):
    """The provider did not answer, or failed. It is unknown whether the request took effect."""


class ProviderRefused(Exception):
    """The provider understood the request and refused it permanently. `code` is the provider's
    error code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class KeySpent(ProviderRefused):
    """The idempotency key was used before with other parameters, or for a request that failed."""


class PaymentProvider(Protocol):
    """A payment provider. Every call may raise ProviderUnavailable or ProviderRefused."""

    name: str

    def amount_limits(self, currency: CurrencyCode) -> AmountLimits | None:
        """Return the limits of one payment, or None if the provider does not accept the
        currency.
        """
        ...

    async def create_intent(self, reference: OrderReference, attempt: PaymentAttempt, total: Money) -> Intent:
        """Create the intent of an attempt, under its idempotency key."""
        ...

    async def get_intent(self, intent_id: str) -> Intent: ...

    async def cancel_intent(self, intent_id: str) -> Intent:
        """Cancel an intent, and return its state: canceled, succeeded, or processing."""
        ...

    async def find_intents(self, reference: OrderReference, since: datetime) -> tuple[Intent, ...]:
        """Return the intents with this order in their metadata that were created since this
        time.
        """
        ...

    async def create_refund(self, reference: OrderReference, refund: Refund, amount: Money) -> tuple[ProviderFact, ...]:
        """Create a refund under its idempotency key, and return the facts about it."""
        ...

    async def list_refunds(self, intent_id: str) -> tuple[ProviderFact, ...]:
        """Return the facts about every refund of the intent, whether ours or not."""
        ...

    async def list_disputes(self, intent_id: str) -> tuple[ProviderFact, ...]: ...

    def list_new_refunds(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]:
        """Yield the refunds that any program of the account created in the window, newest first."""
        ...

    def list_new_disputes(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]: ...

    def list_intents(self, since: datetime, until: datetime, installation: str) -> AsyncIterator[ListedIntent]:
        """Yield the intents created in the window, newest first, of all programs of the account, so
        that a caller can limit how many are read.
        """
        ...

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        """Verify and read a webhook. Raises WebhookRefused."""
        ...

    async def aclose(self) -> None: ...


class WebhookRefused(Exception):
    """A webhook that is not accepted. `reason` is a stable word; the message is for operators."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
