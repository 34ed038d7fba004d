"""The steps of a purchase, in order: begin, insert, record, create the payment intent.

If a purchase stops before its order is inserted, the settle worker completes it, so its units end
up either free or in exactly one order. If it stops afterward, the order worker continues with the
payment.
"""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from domain.errors import HoldEnded, NotFound, PurchaseInProgress, TemporarilyUnavailable, describe_cause
from domain.holds import EndReason, Hold, HoldState
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.limits.rates import NO_RATES, CallRates
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from payments.saga.crash_points import CrashPoint
from payments.saga.order_payments import OrderPayments, now_ms
from storage.connect import Stores
from storage.hot.holds import OrderExists
from storage.keys import EFFECTS_CHANNEL
from storage.mongo.order_batch import Outcome
from telemetry import traces

log = logging.getLogger(__name__)

MAX_CONFLICTS = 5
"""The maximum number of attempts. A conflict means that the hot store lost an order; each attempt
writes the lost orders for these units back to the hot store.
"""


@dataclass(frozen=True, slots=True)
class Purchase:
    concert_id: ConcertId
    hold_id: HoldId
    person_id: PersonId
    customer: Customer
    key: str
    """The fingerprint of the person, the concert, the operation and the idempotency key."""
    digest: str
    """The fingerprint of the whole request; the same key with another digest is refused."""
    rates: CallRates = NO_RATES
    address: str | None = None

    @property
    def order_id(self) -> OrderId:
        return OrderId(self.hold_id)

    async def run(self, stores: Stores, payments: OrderPayments) -> Order:
        """Run the purchase, and return the order once a majority has recorded it: paid if it costs
        nothing, otherwise with its payment intent if the provider answers in time.

        Raises a Refusal. If it is retryable, repeating the request shows the outcome.
        """
        for _ in range(MAX_CONFLICTS):
            try:
                hold = await stores.holds.begin_purchase(
                    self.concert_id,
                    self.hold_id,
                    person_id=self.person_id,
                    purchase_key=self.key,
                    digest=self.digest,
                    rates=self.rates,
                    address=self.address,
                )
            except OrderExists:
                return await payments.begin(await self._recorded(stores))
            order = await self._insert(stores, payments, hold)
            if order is not None:
                payments.reached(CrashPoint.ORDER_INSERTED)
                await stores.order_sync.record(order)
                payments.reached(CrashPoint.ORDER_RECORDED)
                if order.effects_at is not None:
                    stores.hint_publisher.publish(EFFECTS_CHANNEL)
                return await payments.begin(order)
        raise TemporarilyUnavailable("The tickets of this hold are being checked after a restart of the stock store")

    async def release_hold(self, stores: Stores, reason: EndReason) -> None:
        """Release the hold after a refusal that cannot be retried, unless it is being bought."""
        try:
            await stores.holds.release(self.concert_id, self.hold_id, person_id=self.person_id, reason=reason)
        except (NotFound, PurchaseInProgress):
            # The hold no longer exists, or another request is buying it.
            return
        except TemporarilyUnavailable as error:
            log.warning("hold %s will be released only at its deadline: %s", self.hold_id, describe_cause(error))

    async def _insert(self, stores: Stores, payments: OrderPayments, hold: Hold) -> Order | None:
        """Insert the order, and return the recorded order with this id.

        Returns None if the hold now has other units and the purchase must begin again. Raises
        HoldEnded, TemporarilyUnavailable, or NotFound for another person's order.
        """
        order = await self._order(stores, payments, hold)
        outcome = await stores.order_batch.insert(order)
        if outcome is Outcome.RECORDED:
            return order
        if outcome is Outcome.UNKNOWN:
            raise TemporarilyUnavailable("It is not known yet whether this order was recorded")
        existing = await stores.orders.get(self.order_id)
        if existing is not None:
            return self._check_owner(existing)
        if await stores.order_sync.sync_owners(hold.units):
            return None
        if await stores.order_sync.settle(self.concert_id, self.hold_id) is HoldState.ENDED:
            raise HoldEnded(self.hold_id, EndReason.NOT_RECORDED)
        return await self._recorded(stores)

    async def _order(self, stores: Stores, payments: OrderPayments, hold: Hold) -> Order:
        concert = await stores.concert_cache.get(self.concert_id)
        if concert is None:
            raise NotFound("Concert", self.concert_id)
        now = now_ms()
        order = Order(
            id=self.order_id,
            concert_id=self.concert_id,
            person_id=self.person_id,
            status=OrderStatus.PENDING_PAYMENT,
            units=hold.units,
            released_units=(),
            lines=hold.lines,
            currency=concert.currency,
            customer=self.customer,
            version=1,
            events=(),
            created_at=now,
            hold_digest=hold.digest,
            pass_entry_id=hold.pass_entry_id,
            traceparent=traces.current_traceparent(),
        )
        prepared = payments.prepare(order, pay_within=timedelta(milliseconds=concert.terms.payment_duration_ms))
        return replace(prepared, events=(OrderEvent(prepared.status.value, now),))

    async def _recorded(self, stores: Stores) -> Order:
        order = await stores.orders.get(self.order_id)
        if order is None:
            raise TemporarilyUnavailable("The order database has not confirmed this order yet")
        return self._check_owner(order)

    def _check_owner(self, order: Order) -> Order:
        if order.person_id != self.person_id:
            raise NotFound("Hold", self.hold_id)
        return order
