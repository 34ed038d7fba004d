"""A payment provider in memory, for faults that the sandbox cannot produce at an exact step.

It keeps Stripe's rules that the saga depends on: one object per idempotency key, a canceled intent
cannot be paid, a paid one cannot be canceled, and refunds never exceed the payment.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from domain.ids import OrderId
from domain.money import CurrencyCode, Money
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import PaymentAttempt, Refund, attempt_key, refund_key
from payments.provider import (
    AmountLimits,
    Intent,
    KeySpent,
    ListedIntent,
    OrderReference,
    ProviderEvent,
    ProviderRefused,
    ProviderUnavailable,
    WebhookRefused,
)


@dataclass
class StoredIntent:
    id: str
    reference: OrderReference
    attempt: int
    amount: Money
    state: FactState = FactState.OPEN
    refunds: list[ProviderFact] = field(default_factory=list)
    disputes: list[ProviderFact] = field(default_factory=list)
    declines: list[ProviderFact] = field(default_factory=list)
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    @property
    def fact(self) -> ProviderFact:
        amount, currency = self.amount.minor, self.amount.currency
        return ProviderFact(FactKind.PAYMENT, self.id, self.id, self.state, amount, currency, self.at, row=self.attempt)

    @property
    def refunded(self) -> int:
        return sum(fact.amount_minor for fact in self.refunds if fact.state is not FactState.FAILED)

    def shown(self) -> Intent:
        facts = (self.fact, *self.declines[-1:])
        return Intent(self.id, f"{self.id}_secret", facts, self.reference, self.attempt, self.at)


class ProviderDouble:
    """`fail` maps the name of a method to the errors of its next calls. With `fail_after`, a call
    is carried out and then fails.
    """

    name = "double"

    def __init__(self) -> None:
        self.intents: dict[str, StoredIntent] = {}
        self.calls: list[str] = []
        self.is_down = False
        self.answers: asyncio.Event | None = None
        """If set, `create_intent` waits for this event."""
        self.fail: dict[str, list[Exception]] = {}
        self.fail_after: dict[str, list[Exception]] = {}
        self.refunds_are = FactState.SUCCEEDED
        self._keys: dict[str, str] = {}
        self._refund_keys: dict[str, ProviderFact] = {}
        self._numbers = itertools.count(1)

    def intents_of(self, order_id: OrderId) -> list[StoredIntent]:
        return [intent for intent in self.intents.values() if intent.reference.order_id == order_id]

    def intent_of(self, order_id: OrderId) -> StoredIntent:
        (intent,) = self.intents_of(order_id)
        return intent

    def pay(self, intent: StoredIntent, *, amount: Money | None = None) -> ProviderFact:
        """Pay an intent, whatever its state, and return the fact that the webhook reports."""
        intent.state = FactState.SUCCEEDED
        intent.amount = amount or intent.amount
        return intent.fact

    def decline(self, intent: StoredIntent) -> ProviderFact:
        number = f"ch_{next(self._numbers)}"
        amount, currency = intent.amount.minor, intent.amount.currency
        fact = ProviderFact(
            FactKind.DECLINE, number, intent.id, FactState.FAILED, amount, currency, intent.at, code="card_declined"
        )
        intent.declines.append(fact)
        return fact

    def refund_in_dashboard(self, intent: StoredIntent, minor: int) -> ProviderFact:
        return self._add_refund(intent, minor, row=None)

    def dispute(self, intent: StoredIntent, state: FactState) -> ProviderFact:
        amount, currency = intent.amount.minor, intent.amount.currency
        fact = ProviderFact(FactKind.DISPUTE, f"dp_{intent.id}", intent.id, state, amount, currency, intent.at)
        intent.disputes = [fact]
        return fact

    def fail_refund(self, intent: StoredIntent, at: datetime) -> ProviderFact:
        """Let the bank return the money of the last refund."""
        intent.refunds[-1] = replace(intent.refunds[-1], state=FactState.FAILED, at=at)
        return intent.refunds[-1]

    def forget_keys(self) -> None:
        self._keys.clear()
        self._refund_keys.clear()

    def amount_limits(self, currency: CurrencyCode) -> AmountLimits | None:
        del currency
        return AmountLimits(50, 99_999_999)

    async def create_intent(self, reference: OrderReference, attempt: PaymentAttempt, total: Money) -> Intent:
        if self.answers is not None:
            await self.answers.wait()
        self._begin("create_intent")
        key = attempt_key(reference.order_id, attempt.number)
        if key not in self._keys:
            stored = StoredIntent(f"pi_{next(self._numbers)}", reference, attempt.number, total)
            self.intents[stored.id] = stored
            self._keys[key] = stored.id
        self._end("create_intent")
        return self.intents[self._keys[key]].shown()

    async def get_intent(self, intent_id: str) -> Intent:
        self._begin("get_intent")
        return self.intents[intent_id].shown()

    async def cancel_intent(self, intent_id: str) -> Intent:
        self._begin("cancel_intent")
        intent = self.intents[intent_id]
        if intent.state is FactState.SUCCEEDED:
            raise ProviderRefused("payment_intent_unexpected_state", "the intent has succeeded")
        if intent.state is not FactState.PENDING:
            intent.state = FactState.CANCELED
        self._end("cancel_intent")
        return intent.shown()

    async def find_intents(self, reference: OrderReference, since: datetime) -> tuple[Intent, ...]:
        del since
        self._begin("find_intents")
        return tuple(intent.shown() for intent in self.intents.values() if intent.reference == reference)

    async def create_refund(self, reference: OrderReference, refund: Refund, amount: Money) -> tuple[ProviderFact, ...]:
        self._begin("create_refund")
        key = refund_key(reference.order_id, refund.number)
        if key not in self._refund_keys:
            assert refund.intent_id is not None
            intent = self.intents[refund.intent_id]
            if amount.minor > intent.amount.minor - intent.refunded:
                raise ProviderRefused("amount_too_large", "the refund exceeds the payment")
            self._refund_keys[key] = self._add_refund(intent, amount.minor, row=refund.number)
        self._end("create_refund")
        return (self._refund_keys[key],)

    async def list_refunds(self, intent_id: str) -> tuple[ProviderFact, ...]:
        self._begin("list_refunds")
        return tuple(self.intents[intent_id].refunds)

    async def list_disputes(self, intent_id: str) -> tuple[ProviderFact, ...]:
        self._begin("list_disputes")
        return tuple(self.intents[intent_id].disputes)

    async def list_new_refunds(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]:
        del since, until
        for intent in self.intents.values():
            for fact in intent.refunds:
                yield fact

    async def list_new_disputes(self, since: datetime, until: datetime) -> AsyncIterator[ProviderFact]:
        del since, until
        for intent in self.intents.values():
            for fact in intent.disputes:
                yield fact

    async def list_intents(self, since: datetime, until: datetime, installation: str) -> AsyncIterator[ListedIntent]:
        """Yield the intents of the window, in the order of their creation."""
        for intent in self.intents.values():
            if since <= intent.at <= until:
                is_ours = intent.reference.installation == installation
                yield ListedIntent(intent.at, intent.shown() if is_ours else None)

    def read_event(self, body: bytes, headers: Mapping[str, str], now: datetime) -> ProviderEvent:
        del body, headers, now
        raise WebhookRefused("MISSING", "the double sends no webhooks")

    async def aclose(self) -> None:
        return

    def _add_refund(self, intent: StoredIntent, minor: int, *, row: int | None) -> ProviderFact:
        fact = ProviderFact(
            FactKind.REFUND,
            f"re_{next(self._numbers)}",
            intent.id,
            self.refunds_are,
            minor,
            intent.amount.currency,
            intent.at,
            row=row,
        )
        intent.refunds.append(fact)
        return fact

    def _begin(self, name: str) -> None:
        self.calls.append(name)
        if self.is_down:
            raise ProviderUnavailable("the provider is down")
        _raise_next(self.fail, name)

    def _end(self, name: str) -> None:
        _raise_next(self.fail_after, name)


def _raise_next(errors: dict[str, list[Exception]], name: str) -> None:
    if errors.get(name):
        raise errors[name].pop(0)


def spent_key() -> KeySpent:
    return KeySpent("idempotency_error", "the key was used for a request that failed")
