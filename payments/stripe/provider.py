"""The payment provider Stripe: payment intents for cards, refunds and disputes."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

from domain.money import CurrencyCode, Money
from domain.payments.facts import ProviderFact
from domain.payments.payment import PaymentAttempt, Refund, RefundReason, attempt_key, refund_key
from payments import amounts
from payments.provider import AmountLimits, Intent, ListedIntent, OrderReference, ProviderEvent, ProviderRefused
from payments.stripe.client import StripeClient
from payments.stripe.events import read_event
from payments.stripe.fields import StripeObject, UnreadableObject, time
from payments.stripe.objects import (
    ATTEMPT,
    REFUND,
    dispute_facts,
    order_metadata,
    read_intent,
    read_reference,
    refund_facts,
)
from payments.stripe.signatures import WebhookVerifier

INTENTS, REFUNDS, DISPUTES = "/v1/payment_intents", "/v1/refunds", "/v1/disputes"
CLOCK_SKEW = timedelta(minutes=5)
"""How far Stripe's clock may differ from ours, the same as the maximum age of a signature."""

_REFUND_REASONS = {RefundReason.REQUESTED: "requested_by_customer", RefundReason.SECOND_PAYMENT: "duplicate"}
"""In Stripe's terms, which do not include the other reasons."""


class StripeProvider:
    """Implements payments.provider.PaymentProvider."""

    def __init__(self, client: StripeClient, verifier: WebhookVerifier, *, name: str = "stripe") -> None:
        self.name = name
        self._client = client
        self._verifier = verifier

    def amount_limits(self, currency: CurrencyCode) -> AmountLimits | None:
        return amounts.amount_limits(currency)

    async def create_intent(self, reference: OrderReference, attempt: PaymentAttempt, total: Money) -> Intent:
        """Create an intent that only cards can pay: other methods may take days to succeed."""
        answer = await self._client.post(
            INTENTS,
            key=attempt_key(reference.order_id, attempt.number),
            amount=amounts.stripe_amount(total),
            currency=total.currency.lower(),
            payment_method_types=["card"],
            metadata=order_metadata(reference) | {ATTEMPT: str(attempt.number)},
        )
        return read_intent(answer)

    async def get_intent(self, intent_id: str) -> Intent:
        # The charge says when the intent was paid or declined.
        return read_intent(await self._client.get(f"{INTENTS}/{intent_id}", expand=["latest_charge"]))

    async def cancel_intent(self, intent_id: str) -> Intent:
        try:
            # Without our key, because Stripe would repeat a refusal for as long as it keeps the
            # key.
            return read_intent(await self._client.post(f"{INTENTS}/{intent_id}/cancel", key=None))
        except ProviderRefused as refused:
            if refused.code != "payment_intent_unexpected_state":
                raise
            return await self.get_intent(intent_id)

    async def find_intents(self, reference: OrderReference, since: datetime) -> tuple[Intent, ...]:
        # Stripe's search is not used: it may not find an object for a minute or, sometimes, an
        # hour.
        found = self._intents({"gte": _seconds(since - CLOCK_SKEW)})
        return tuple([read_intent(item) async for item in found if read_reference(item) == reference])

    async def create_refund(self, reference: OrderReference, refund: Refund, amount: Money) -> tuple[ProviderFact, ...]:
        reason = _REFUND_REASONS.get(refund.reason)
        answer = await self._client.post(
            REFUNDS,
            key=refund_key(reference.order_id, refund.number),
            payment_intent=refund.intent_id,
            amount=amounts.stripe_amount(amount),
            metadata=order_metadata(reference) | {REFUND: str(refund.number)},
            **({"reason": reason} if reason else {}),
        )
        facts = refund_facts(answer)
        if not facts:
            raise UnreadableObject(f"Stripe answered a refund of {refund.intent_id} without its payment intent")
        return facts

    async def list_refunds(self, intent_id: str) -> tuple[ProviderFact, ...]:
        found = self._client.iterate(REFUNDS, payment_intent=intent_id)
        return tuple([fact async for item in found for fact in refund_facts(item)])

    async def list_disputes(self, intent_id: str) -> tuple[ProviderFact, ...]:
        found = self._client.iterate(DISPUTES, payment_intent=intent_id)
        return tuple([fact async for item in found for fact in dispute_facts(item)])

    async def list_intents(self, since: datetime, until: datetime, installation: str) -> AsyncIterator[ListedIntent]:
        async for item in self._intents(_window(since, until)):
            reference = read_reference(item)
            is_ours = reference is not None and reference.installation == installation
            yield ListedIntent(time(item, "created"), read_intent(item) if is_ours else None)

    async def list_new_refunds(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]:
        async for item in self._client.iterate(REFUNDS, created=_window(since, until)):
            for fact in refund_facts(item):
                yield fact

    async def list_new_disputes(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]:
        async for item in self._client.iterate(DISPUTES, created=_window(since, until)):
            for fact in dispute_facts(item):
                yield fact

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        self._verifier.verify(body, headers, now)
        return read_event(body)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _intents(self, created: Mapping[str, int]) -> AsyncIterator[StripeObject]:
        return self._client.iterate(INTENTS, created=dict(created))


def _window(since: datetime, until: datetime) -> dict[str, int]:
    return {"gte": _seconds(since), "lte": _seconds(until)}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
