"""The payments of orders. Only this object calls the provider and changes orders that have a
payment.

Purchases, webhooks, the buyer's confirmation, workers and the reconciliation all use it. It may
stop between any two steps; the stored order then says which step is due, and the order worker
continues.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from domain.errors import IdempotencyConflict, NotFound, TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId, OrderId, PersonId, Unit
from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.balances import find_refund, refundable_units
from domain.payments.errors import NotRefundable, NotRefundableReason
from domain.payments.facts import ProviderFact
from domain.payments.payment import RefundReason
from domain.payments.refunds import raise_if_checked_in
from domain.payments.steps import Step, StepKind, next_step
from payments.provider import OrderReference, PaymentProvider, ProviderRefused, ProviderUnavailable
from payments.saga.crash_points import Reached, ignore
from payments.saga.intents import Intents
from payments.saga.late_payments import LatePayments
from payments.saga.order_changes import OrderChanges
from payments.saga.refunds import Refunds
from storage.connect import Stores
from telemetry import traces
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "calling the payment provider")

INTENT_WITHIN_S = 3.0
"""How long a purchase waits for its intent. A buyer who has no client secret by then gets it from
the subscription to the order.
"""
MAX_STEPS = 10
"""The number of steps that one call of `advance` does. The next run does the rest."""


def now_ms() -> datetime:
    """Return the time in whole milliseconds, as MongoDB stores it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class OrderPayments:
    def __init__(
        self,
        stores: Stores,
        provider: PaymentProvider,
        *,
        clock: Callable[[], datetime] = now_ms,
        reached: Reached = ignore,
        intent_within_s: float = INTENT_WITHIN_S,
    ) -> None:
        self.provider = provider
        self.reached = reached
        self._stores = stores
        self._clock = clock
        self._intent_within_s = intent_within_s
        self._changes = OrderChanges(stores, reached)
        self._intents = Intents(self._changes, provider, clock=clock, reached=reached)
        self._late_payments = LatePayments(stores, self._changes, clock=clock, reached=reached)
        self._refunds = Refunds(self._changes, provider, clock=clock, reached=reached)

    async def installation(self) -> str:
        """Return the id of this installation. Raises TemporarilyUnavailable."""
        return await self._stores.installation.id()

    def prepare(self, order: Order, *, pay_within: timedelta) -> Order:
        """Return a new order to insert: PAID if it costs nothing, otherwise pending,
        with the deadline of its payment and its first attempt.
        """
        if order.total.minor == 0:
            return transitions.paid_at_once(order)
        return transitions.awaiting_payment(
            order, provider=self.provider.name, expires_at=order.created_at + pay_within
        )

    async def begin(self, order: Order) -> Order:
        """Create the intent of a recorded order, and return the order with it.

        If the provider takes longer than three seconds, the order is returned without its intent,
        and the call continues. If the call fails, the order worker repeats it.
        """
        if order.status is not OrderStatus.PENDING_PAYMENT or order.payment is None:
            return order
        if order.payment.attempt.intent_id is not None or order.payment.cancel_requested_at is not None:
            return order
        creating = self._stores.detached_tasks.start(self._create_intent(order))
        done, _ = await asyncio.wait([creating], timeout=self._intent_within_s)
        return creating.result() if done else order

    async def apply(
        self, order_id: OrderId, concert_id: ConcertId, facts: Sequence[ProviderFact], *, known: Order | None = None
    ) -> Order | None:
        """Merge facts into the order, and return it, or None if the concert has no such order.

        `known` is a version of the order that the caller has read; it may be out of date, because
        facts are never removed, and a change is stored only for the newest version. Facts about an
        order without a payment are ignored. Raises TemporarilyUnavailable.
        """
        is_known = known is not None and known.id == order_id and known.concert_id == concert_id
        order = known if is_known else await self._changes.get(order_id, concert_id)
        if order is None:
            return None
        return await self._changes.change(order, lambda order: transitions.apply_facts(order, facts, self._clock()))

    async def sync(self, order_id: OrderId, concert_id: ConcertId) -> Order:
        """Ask the provider for the state of the payment, apply it, and return the order.

        Raises NotFound, and TemporarilyUnavailable if the provider or the database does not answer.
        """
        order = await self._changes.get(order_id, concert_id)
        if order is None:
            raise NotFound("Order", order_id)
        if order.payment is None or not order.payment.attempts:
            return order
        try:
            return await self._intents.refresh(order, await self._reference(order))
        except (ProviderUnavailable, ProviderRefused) as error:
            raise TemporarilyUnavailable("The payment provider does not answer", retry_after_s=5) from error

    async def advance(self, order: Order, now: datetime, *, grace_until: datetime | None = None) -> Order:
        """Do what is due for the order, one step after another, and return the order.

        Stops when a step must wait for the provider. Raises ProviderUnavailable, ProviderRefused
        and TemporarilyUnavailable; the step then remains due.
        """
        for _ in range(MAX_STEPS):
            step = next_step(order, now, grace_until=grace_until)
            if step is None:
                return order
            with _traced(step.kind, order):
                changed = await self._perform(step, order)
            if changed.version == order.version:
                return order
            order, now = changed, max(now, self._clock())
        return order

    async def request_cancel(self, order: Order, reason: str, *, at_once: bool = True) -> Order:
        """Record that a pending order is to be canceled, and cancel it if the provider answers.

        `reason` is `BUYER` or `CONCERT`. An order that is not pending is returned unchanged. If the
        buyer has just paid, the order becomes paid instead. If `at_once` is false, the order worker
        calls the provider, because it limits the number of calls at a time.
        """
        order = await self._changes.change(
            order, lambda order: transitions.request_cancel(order, reason, self._clock())
        )
        return await self._advance_if_possible(order) if at_once else order

    async def request_refund(
        self,
        order: Order,
        *,
        units: Sequence[Unit] | None,
        reason: RefundReason,
        requested_by: PersonId | None,
        request_key: str,
        digest: str,
        includes_checked_in: bool = True,
        at_once: bool = True,
    ) -> Order:
        """Decide to refund the units, or all remaining ones if `units` is None, and send the refund
        if the provider answers; if `at_once` is false, the order worker sends it. A repeated
        request changes nothing.

        Raises IdempotencyConflict for another request with the same key, and NotRefundable if no
        unit is left, a refund of any of the units was requested before, or the ticket of any was
        checked in and `includes_checked_in` is false.
        """

        def decide(order: Order) -> Order:
            known = find_refund(order, request_key) if request_key else None
            if known is not None:
                if known.request_digest != digest:
                    raise IdempotencyConflict
                return order
            left = refundable_units(order)
            chosen = left if units is None else tuple(units)
            if not chosen or not set(chosen) <= set(left):
                raise NotRefundable(NotRefundableReason.NOTHING_LEFT, order.status)
            if not includes_checked_in:
                raise_if_checked_in(order, chosen)
            return transitions.add_refund(
                order,
                chosen,
                reason=reason,
                now=self._clock(),
                requested_by=requested_by,
                request_key=request_key,
                request_digest=digest,
            )

        order = await self._changes.change(order, decide)
        return await self._advance_if_possible(order) if at_once else order

    async def tell_that_order_waits(self, order: Order) -> Order:
        """Note in the order's history, which the buyer can read, that it is waiting for the
        provider.
        """
        return await self._changes.change(order, lambda order: transitions.note_waiting(order, self._clock()))

    async def _create_intent(self, order: Order) -> Order:
        try:
            with _traced(StepKind.CREATE_INTENT, order):
                created = await self._intents.create(order, await self._reference(order))
        except (ProviderUnavailable, ProviderRefused, TemporarilyUnavailable) as error:
            return self._left_to_worker(order, error)
        _outage.succeeded(self)
        return created

    async def _perform(self, step: Step, order: Order) -> Order:
        reference = await self._reference(order)
        match step.kind:
            case StepKind.CREATE_INTENT:
                return await self._intents.create(order, reference)
            case StepKind.CLOSE:
                return await self._intents.close(order, reference)
            case StepKind.SEND_REFUND:
                assert step.refund is not None
                return await self._refunds.send(order, step.refund, reference)
            case StepKind.TAKE_UNITS:
                return await self._late_payments.take_units(order)

    async def _advance_if_possible(self, order: Order) -> Order:
        """Do the due steps now. After a failure, the order worker does them, as always for a late
        payment.
        """
        if order.status is OrderStatus.LATE_PAYMENT:
            return order
        try:
            advanced = await self.advance(order, self._clock())
        except (ProviderUnavailable, ProviderRefused, TemporarilyUnavailable) as error:
            return self._left_to_worker(order, error)
        _outage.succeeded(self)
        return advanced

    def _left_to_worker(self, order: Order, error: Exception) -> Order:
        log.debug("order %s is left to the order worker: %s", order.id, describe_cause(error))
        _outage.failed(self, error, about=f"order {order.id}")
        return order

    async def _reference(self, order: Order) -> OrderReference:
        return OrderReference(order.id, order.concert_id, await self.installation())


def _traced(step: StepKind, order: Order) -> AbstractContextManager[object]:
    """Trace a step of the order in the trace of its purchase, or in that of the current request."""
    return traces.continue_trace(f"order {step.value}", order.traceparent, {traces.CONCERT_ID: order.concert_id})
