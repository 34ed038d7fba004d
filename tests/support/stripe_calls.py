"""One call of each kind that the Stripe adapter makes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from domain.money import CurrencyCode, Money
from domain.payments.payment import PaymentAttempt, Refund, RefundReason
from payments.provider import Intent
from payments.stripe.provider import StripeProvider
from tests.support.scripted_stripe import REFERENCE

Call: TypeAlias = Callable[[StripeProvider], Awaitable[object]]

STARTED = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ATTEMPT = PaymentAttempt(1, STARTED)
TOTAL, PART = Money(5_000, CurrencyCode.EUR), Money(2_000, CurrencyCode.EUR)
REFUND = Refund(1, "pi_1", 2_000, (), RefundReason.REQUESTED, STARTED)


async def _list_intents(provider: StripeProvider) -> list[Intent]:
    window = STARTED, STARTED + timedelta(hours=1)
    return [item.intent async for item in provider.list_intents(*window, "installation-1") if item.intent]


CALLS: dict[str, Call] = {
    "create_intent": lambda provider: provider.create_intent(REFERENCE, ATTEMPT, TOTAL),
    "get_intent": lambda provider: provider.get_intent("pi_1"),
    "cancel_intent": lambda provider: provider.cancel_intent("pi_1"),
    "find_intents": lambda provider: provider.find_intents(REFERENCE, STARTED),
    "list_intents": _list_intents,
    "create_refund": lambda provider: provider.create_refund(REFERENCE, REFUND, PART),
    "list_refunds": lambda provider: provider.list_refunds("pi_1"),
    "list_disputes": lambda provider: provider.list_disputes("pi_1"),
}
