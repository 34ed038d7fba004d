"""Creates the intents of an order, finds them again after a failure, and cancels them."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from domain.orders import Order, OrderStatus
from domain.payments import transitions
from domain.payments.payment import PaymentAttempt
from payments.provider import KEYS_LAST, Intent, KeySpent, OrderReference, PaymentProvider, ProviderRefused
from payments.saga.crash_points import CrashPoint, Reached
from payments.saga.order_changes import OrderChanges

log = logging.getLogger(__name__)

MISSING = "resource_missing"
"""The code of the refusal if the account has no such object."""
CLOCK_SKEW = timedelta(minutes=5)
"""How far this host's clock may differ from the provider's when objects are listed."""


class Intents:
    def __init__(
        self, changes: OrderChanges, provider: PaymentProvider, *, clock: Callable[[], datetime], reached: Reached
    ) -> None:
        self._changes = changes
        self._provider = provider
        self._clock = clock
        self._reached = reached

    async def create(self, order: Order, reference: OrderReference) -> Order:
        """Create the intent of the current attempt, or find it again, and record it with its client
        secret. If the provider has no such intent and the key of the attempt is spent, begin
        another attempt.

        Raises ProviderUnavailable or ProviderRefused.
        """
        assert order.payment is not None
        attempt = order.payment.attempt
        intent = await self._obtain(order, reference, attempt)
        if intent is None:
            return await self._changes.change(
                order, lambda order: transitions.start_attempt(order, self._clock(), after=attempt.number)
            )
        self._reached(CrashPoint.INTENT_CREATED)
        recorded = await self._record(order, attempt, intent)
        return await self._cancel_if_unwanted(recorded, intent)

    async def close(self, order: Order, reference: OrderReference) -> Order:
        """Cancel the intent of a pending order. The units are freed if the provider confirms that
        the intent is canceled or does not exist; if it was paid, the order is paid.

        An intent that is still processing changes nothing: the provider decides later. Raises
        ProviderUnavailable or ProviderRefused.
        """
        assert order.payment is not None
        attempt = order.payment.attempt
        if attempt.intent_id is None:
            try:
                found = await self._obtain(order, reference, attempt)
            except ProviderRefused as refusal:
                log.info("the provider refuses the intent of order %s: %s", order.id, refusal)
                found = await self._find(order, reference, attempt)
            if found is None:
                return await self._changes.change(
                    order,
                    lambda order: transitions.free_without_intent(order, self._clock(), attempt=attempt.number),
                )
            order = await self._record(order, attempt, found)
        return await self._cancel(order, attempt)

    async def refresh(self, order: Order, reference: OrderReference) -> Order:
        """Ask the provider for the state of the payment, and apply its answer.

        An attempt without an intent cannot have been paid, so the intent is created.
        """
        assert order.payment is not None
        attempt = order.payment.attempt
        if attempt.intent_id is None:
            is_payable = order.status is OrderStatus.PENDING_PAYMENT and order.payment.cancel_requested_at is None
            return await self.create(order, reference) if is_payable else order
        facts = (await self._provider.get_intent(attempt.intent_id)).facts
        if order.status is not OrderStatus.PENDING_PAYMENT:
            facts += await self._provider.list_refunds(attempt.intent_id)
            facts += await self._provider.list_disputes(attempt.intent_id)
        return await self._changes.change(order, lambda order: transitions.apply_facts(order, facts, self._clock()))

    async def _cancel(self, order: Order, attempt: PaymentAttempt) -> Order:
        intent_id = order.payment.attempt.intent_id if order.payment else None
        if intent_id is None:
            return order
        try:
            intent = await self._provider.cancel_intent(intent_id)
        except ProviderRefused as refusal:
            if refusal.code == MISSING and self._provider.name == "sandbox":
                return await self._free_after_loss(order, attempt, intent_id)
            # A paid intent cannot be canceled. Its current state at the provider decides.
            log.info("the intent of order %s was not canceled (%s); reading it", order.id, refusal.code)
            intent = await self._provider.get_intent(intent_id)
        self._reached(CrashPoint.INTENT_CANCELED)
        return await self._record(order, attempt, intent)

    async def _free_after_loss(self, order: Order, attempt: PaymentAttempt, intent_id: str) -> Order:
        """Free the units of an order whose intent the sandbox has lost.

        No one can pay such an intent. A provider with real money may know it in another account.
        """
        log.warning("the sandbox has lost intent %s of order %s; the order's tickets are freed", intent_id, order.id)
        return await self._changes.change(
            order,
            lambda order: transitions.free_without_intent(
                order, self._clock(), attempt=attempt.number, lost_intent_id=intent_id
            ),
        )

    async def _cancel_if_unwanted(self, order: Order, intent: Intent) -> Order:
        """Cancel an intent that was created too late: the order has ended without it."""
        assert order.payment is not None
        is_recorded = order.payment.attempt.intent_id == intent.id
        if is_recorded and order.payment.freed_by is None:
            return order
        canceled = await self._provider.cancel_intent(intent.id)
        return await self._changes.change(
            order, lambda order: transitions.apply_facts(order, canceled.facts, self._clock())
        )

    async def _record(self, order: Order, attempt: PaymentAttempt, intent: Intent) -> Order:
        return await self._changes.change(
            order,
            lambda order: transitions.record_intent(
                order,
                attempt=attempt.number,
                intent_id=intent.id,
                client_secret=intent.client_secret,
                facts=intent.facts,
                now=self._clock(),
            ),
        )

    async def _obtain(self, order: Order, reference: OrderReference, attempt: PaymentAttempt) -> Intent | None:
        """Return the intent of an attempt, creating it if the provider has none. Return None if
        there is none and the key can no longer create one.

        A repeated call under the same key returns the same intent. The account's intents are listed
        only if the key is spent or old, because that takes many calls during a sale.
        """
        if self._clock() - attempt.started_at < KEYS_LAST:
            with suppress(KeySpent):
                return await self._provider.create_intent(reference, attempt, order.total)
        return await self._find(order, reference, attempt)

    async def _find(self, order: Order, reference: OrderReference, attempt: PaymentAttempt) -> Intent | None:
        """Return the intent that the provider has for an attempt, or None if there is none."""
        found = await self._provider.find_intents(reference, order.created_at - CLOCK_SKEW)
        return next((intent for intent in found if intent.attempt == attempt.number), None)
