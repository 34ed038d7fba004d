"""Compares the intents, refunds and disputes at the provider with the orders.

A fact that never arrived is applied as if its message had arrived. Everything else is reported: an
intent without an order, an order marked as paid whose payment did not succeed at the provider, a
wrong amount.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from domain.ids import OrderId
from domain.orders import Order
from domain.payments.facts import FactKind, FactState, ProviderFact, merge_facts
from domain.payments.status import accepted_payment
from payments.provider import Intent, ProviderRefused
from payments.reconciliation.windows import SECOND, Window, take_newest
from payments.saga.order_payments import OrderPayments
from storage.connect import Stores
from telemetry import counters
from telemetry.alarms import Alarm, raise_alarm

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_OBJECTS = 1_000
"""The number of objects that one run reads per source, in ten calls."""
MAX_SUSPECTS = 50
"""The number of paid orders per run for which the provider is asked individually."""
CONCURRENT = 20
"""The number of orders that are changed, or asked about, at the same time. One second of a sale may
have hundreds, which all belong to one run.
"""


class ProviderSide:
    """Compares the objects in a window, one source per method. Each method returns the start of the
    part that it has compared.
    """

    def __init__(self, stores: Stores, payments: OrderPayments) -> None:
        self._stores = stores
        self._payments = payments
        self._provider = payments.provider

    async def compare_intents(self, window: Window) -> datetime:
        installation = await self._payments.installation()
        items = self._provider.list_intents(window.since, window.until, installation)
        listed, complete_since = await take_newest(items, lambda item: item.created_at, limit=MAX_OBJECTS)
        intents = [item.intent for item in listed if item.intent is not None]
        since = complete_since or window.since
        suspects, checked_since = await self._find_suspects(Window(since, window.until), intents)
        since = checked_since or since
        await self._compare([intent for intent in intents if intent.created_at >= since])
        await _in_chunks(suspects, self._check_paid)
        return since

    async def compare_refunds(self, window: Window) -> datetime:
        return await self._compare_returns(window, is_dispute=False)

    async def compare_disputes(self, window: Window) -> datetime:
        return await self._compare_returns(window, is_dispute=True)

    async def _compare_returns(self, window: Window, *, is_dispute: bool) -> datetime:
        """Compare refunds or disputes, which the provider lists for all programs of the account."""
        list_all = self._provider.list_new_disputes if is_dispute else self._provider.list_new_refunds
        listed = list_all(window.since, window.until)
        facts, complete_since = await take_newest(listed, lambda fact: fact.at, limit=MAX_OBJECTS)
        orders = await self._stores.reconciliations.find_by_intents({fact.intent_id for fact in facts})
        await self._apply_missed([(orders[fact.intent_id], (fact,)) for fact in facts if fact.intent_id in orders])
        counters.reconciled.labels("disputes" if is_dispute else "refunds").inc(len(facts))
        return complete_since or window.since

    async def _compare(self, intents: Sequence[Intent]) -> None:
        orders = await self._read_orders(intents)
        known = []
        for intent in intents:
            order = orders.get(intent.reference.order_id) if intent.reference else None
            if order is None or order.payment is None or not _is_of(intent, order):
                _report_unknown(intent)
                continue
            _report_amount(intent, order)
            known.append((order, intent.facts))
        await self._apply_missed(known)
        counters.reconciled.labels("intents").inc(len(intents))

    async def _read_orders(self, intents: Iterable[Intent]) -> Mapping[OrderId, Order]:
        ids = {intent.reference.order_id for intent in intents if intent.reference}
        found = await self._stores.orders.get_many(ids) if ids else ()
        return {order.id: order for order in found}

    async def _apply_missed(self, reported: Sequence[tuple[Order, Sequence[ProviderFact]]]) -> None:
        """Apply the facts that the orders lack, and raise a single alarm for all of them."""
        repaired = []

        async def apply(one: tuple[Order, Sequence[ProviderFact]]) -> None:
            order, facts = one
            missed = _missed(order, facts)
            if not missed:
                return
            await self._payments.apply(order.id, order.concert_id, facts)
            counters.reconciled.labels("missed_facts").inc(len(missed))
            if any(_is_told_by_a_message(fact) for fact in missed):
                repaired.append(order.id)

        await _in_chunks(reported, apply)
        if repaired:
            text = (
                f"{len(repaired)} orders lacked facts from the provider and have been repaired, such as {repaired[0]}"
            )
            raise_alarm(log, Alarm.FACTS_MISSED, text)

    async def _find_suspects(
        self, window: Window, intents: Sequence[Intent]
    ) -> tuple[Sequence[Order], datetime | None]:
        """Return the paid orders of a window that have no successful intent in the list."""
        known = {None, *[intent.id for intent in intents if _state(intent) is FactState.SUCCEEDED]}
        paid = self._stores.reconciliations.iterate_paid(window.since, window.until + SECOND)
        suspects = (order async for order in paid if _paid_by(order) not in known)
        return await take_newest(suspects, lambda order: order.created_at, limit=MAX_SUSPECTS)

    async def _check_paid(self, order: Order) -> None:
        """Ask the provider about a paid order whose intent was not listed with it.

        An order and its intent may be in different windows, if they were created in different
        seconds.
        """
        intent_id = _paid_by(order)
        assert intent_id is not None
        try:
            state = _state(await self._provider.get_intent(intent_id))
        except ProviderRefused as refusal:
            state, found = None, f"answers {refusal.code}"
        else:
            found = f"says {state}"
        if state is not FactState.SUCCEEDED:
            text = f"order {order.id} was paid by intent {intent_id}, but the provider {found}"
            raise_alarm(log, Alarm.PAID_WITHOUT_SUCCESS, text)


async def _in_chunks(items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    for first in range(0, len(items), CONCURRENT):
        await asyncio.gather(*[work(item) for item in items[first : first + CONCURRENT]])


def _missed(order: Order, facts: Sequence[ProviderFact]) -> set[ProviderFact]:
    known = order.payment.facts if order.payment else ()
    return set(merge_facts(known, facts)) - set(known)


def _is_told_by_a_message(fact: ProviderFact) -> bool:
    """Return whether a message should have reported this fact. Open intents and declines are only
    displayed.
    """
    return fact.kind is not FactKind.DECLINE and (fact.kind, fact.state) != (FactKind.PAYMENT, FactState.OPEN)


def _is_of(intent: Intent, order: Order) -> bool:
    return intent.reference is not None and intent.reference.concert_id == order.concert_id


def _payment(intent: Intent) -> ProviderFact | None:
    return next((fact for fact in intent.facts if fact.kind is FactKind.PAYMENT), None)


def _state(intent: Intent) -> FactState | None:
    payment = _payment(intent)
    return payment.state if payment else None


def _paid_by(order: Order) -> str | None:
    """Return the intent that paid for the order, if the order shows it."""
    accepted = accepted_payment(order)
    return accepted.intent_id if accepted else None


def _report_unknown(intent: Intent) -> None:
    """Report an intent whose order does not exist. A canceled one is harmless."""
    state, reference = _state(intent), intent.reference
    if state is FactState.CANCELED or reference is None:
        return
    is_paid = state is FactState.SUCCEEDED
    alarm = Alarm.MONEY_WITHOUT_ORDER if is_paid else Alarm.UNKNOWN_INTENT
    text = f"intent {intent.id} ({state}) is for order {reference.order_id} of concert {reference.concert_id}"
    raise_alarm(log, alarm, f"{text}, which does not exist or costs nothing")


def _report_amount(intent: Intent, order: Order) -> None:
    payment = _payment(intent)
    if payment is None or payment.state is FactState.CANCELED:
        return
    if (payment.amount_minor, payment.currency) != (order.total.minor, order.currency):
        text = f"intent {intent.id} of order {order.id} is {payment.amount_minor} {payment.currency}"
        raise_alarm(log, Alarm.AMOUNT_DIFFERS, f"{text}, but the order is {order.total.minor} {order.currency}")
