"""Refunds at the provider. A refund is never lost: it is sent until the provider has made it."""

import logging
from collections.abc import Callable
from datetime import datetime

from domain.orders import Order
from domain.payments import transitions
from domain.payments.balances import is_larger_than_payment, refund_amount
from domain.payments.facts import FactState, ProviderFact
from domain.payments.payment import Refund
from domain.payments.status import refund_fact
from payments.provider import KEYS_LAST, KeySpent, OrderReference, PaymentProvider, ProviderRefused
from payments.saga.crash_points import CrashPoint, Reached
from payments.saga.order_changes import OrderChanges
from telemetry.alarms import Alarm, raise_alarm

log = logging.getLogger(__name__)


class Refunds:
    def __init__(
        self, changes: OrderChanges, provider: PaymentProvider, *, clock: Callable[[], datetime], reached: Reached
    ) -> None:
        self._changes = changes
        self._provider = provider
        self._clock = clock
        self._reached = reached

    async def send(self, order: Order, refund: Refund, reference: OrderReference) -> Order:
        """Make the provider refund the money, and record its answer.

        The provider is asked for its refunds first, so that a refund whose answer was lost is
        found and not made again. Raises ProviderUnavailable or ProviderRefused.
        """
        assert refund.intent_id is not None
        order = await self._apply(order, await self._provider.list_refunds(refund.intent_id))
        fact = refund_fact(order, refund)
        if fact is not None:
            return await self._make_again(order, refund, fact) if fact.state is FactState.FAILED else order
        if self._clock() - refund.requested_at > KEYS_LAST:
            return await self._replace(order, refund)
        amount = refund_amount(order, refund)
        try:
            facts = await self._provider.create_refund(reference, refund, amount)
        except ProviderRefused as refusal:
            return await self._after_refusal(order, refund, refusal)
        self._reached(CrashPoint.REFUND_CREATED)
        return await self._apply(order, facts)

    async def _after_refusal(self, order: Order, refund: Refund, refusal: ProviderRefused) -> Order:
        """Read the provider's refunds again, and replace this one if its key is spent, or if a
        refund in the provider's dashboard has left less money than this one returns.

        Any other refusal is raised, and the refund is sent again later.
        """
        assert refund.intent_id is not None
        order = await self._apply(order, await self._provider.list_refunds(refund.intent_id))
        if refund_fact(order, refund) is not None:
            return order
        if isinstance(refusal, KeySpent) or is_larger_than_payment(order, refund):
            log.warning("refund %d of order %s is replaced: %s", refund.number, order.id, refusal)
            return await self._replace(order, refund)
        raise refusal

    async def _make_again(self, order: Order, refund: Refund, fact: ProviderFact) -> Order:
        why = fact.code or "no reason given"
        raise_alarm(log, Alarm.REFUND_FAILED, f"refund {refund.number} of order {order.id} failed: {why}")
        return await self._replace(order, refund)

    async def _replace(self, order: Order, refund: Refund) -> Order:
        return await self._changes.change(order, lambda order: transitions.replace_refund(order, refund, self._clock()))

    async def _apply(self, order: Order, facts: tuple[ProviderFact, ...]) -> Order:
        return await self._changes.change(order, lambda order: transitions.apply_facts(order, facts, self._clock()))
