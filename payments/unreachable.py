"""A provider that never answers, for processes that read orders but take no payments."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import NoReturn

from domain.money import CurrencyCode, Money
from domain.payments.facts import ProviderFact
from domain.payments.payment import PaymentAttempt, Refund
from payments.provider import (
    AmountLimits,
    Intent,
    ListedIntent,
    OrderReference,
    ProviderEvent,
    ProviderUnavailable,
    WebhookRefused,
)


class UnreachableProvider:
    """Raises ProviderUnavailable for every call. An order stays unpaid until another process, which
    has a provider, works on it.
    """

    name = "unreachable"

    def amount_limits(self, currency: CurrencyCode) -> AmountLimits | None:
        """Return no limits, because this process makes no payments."""
        del currency
        return AmountLimits(0, 2**53 - 1)

    async def create_intent(self, reference: OrderReference, attempt: PaymentAttempt, total: Money) -> Intent:
        _raise(reference, attempt, total)

    async def get_intent(self, intent_id: str) -> Intent:
        _raise(intent_id)

    async def cancel_intent(self, intent_id: str) -> Intent:
        _raise(intent_id)

    async def find_intents(self, reference: OrderReference, since: datetime) -> tuple[Intent, ...]:
        _raise(reference, since)

    async def create_refund(self, reference: OrderReference, refund: Refund, amount: Money) -> tuple[ProviderFact, ...]:
        _raise(reference, refund, amount)

    async def list_refunds(self, intent_id: str) -> tuple[ProviderFact, ...]:
        _raise(intent_id)

    async def list_disputes(self, intent_id: str) -> tuple[ProviderFact, ...]:
        _raise(intent_id)

    def list_new_refunds(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]:
        _raise(since, until)

    def list_new_disputes(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]:
        _raise(since, until)

    def list_intents(self, since: datetime, until: datetime, installation: str) -> AsyncIterator[ListedIntent]:
        _raise(since, until, installation)

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        del body, headers, now
        raise WebhookRefused("NO_PROVIDER", "This process has no payment provider; send webhooks to another one.")

    async def aclose(self) -> None:
        return


def _raise(*unused: object) -> NoReturn:
    del unused
    raise ProviderUnavailable("This process has no payment provider")
