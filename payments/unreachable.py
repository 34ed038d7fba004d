"""A provider that never answers, for processes that read orders and take no payments."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import NoReturn

from domain.money import CurrencyCode, Money
from domain.payments.facts import ProviderFact
from domain.payments.payment import PaymentAttempt, Refund
from payments.provider import (
    AmountLimits,
    Intent,
    OrderReference,
    ProviderEvent,
    ProviderUnavailable,
    WebhookRefused,
)


class UnreachableProvider:
    """Raises ProviderUnavailable in each call. An order stays unpaid until another process, which
    has a provider, works on it.
    """

    name = "unreachable"

    def amount_limits(self, currency: CurrencyCode) -> AmountLimits | None:
        """Set no limit, because no payment is made here."""
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

    def list_intents(self, since: datetime, until: datetime, installation: str) -> AsyncIterator[Intent]:
        _raise(since, until, installation)

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        del body, headers, now
        raise WebhookRefused("NO_PROVIDER", "This process has no payment provider; send webhooks to another one.")

    async def aclose(self) -> None:
        return


def _raise(*unused: object) -> NoReturn:
    del unused
    raise ProviderUnavailable("This process has no payment provider")
