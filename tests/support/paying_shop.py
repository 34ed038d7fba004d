"""A shop whose orders cost money, and the steps of its buyers and organizers.

Orders of `PayingShop` are paid at a provider in memory; orders of `tests.support.sandbox_shop` at
the sandbox.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.ids import OrderId
from domain.limits.rates import NO_LIMITS, RateLimits
from domain.orders import Order
from payments.checkout import Checkout
from payments.saga.order_payments import OrderPayments, now_ms
from schema.ids import decode
from storage.connect import Stores
from tests.support.provider_double import ProviderDouble, StoredIntent
from tests.support.shop import Answer, OnSale, Shop, lines, new_key, shop_on
from workers.cancellation import CancellationWorker
from workers.orders import OrderWorker

CHECKOUT = Checkout("sandbox", "pk_test_sandbox", "https://sandbox.example")
TIERS = [
    {"name": "Standing", "priceMinor": 4950, "capacity": 100},
    {"name": "Balcony", "priceMinor": 8000, "capacity": 2},
]
ORDER_FIELDS = """
    id number status version cancelRequestedAt total { minor } refunded { minor }
    lines { tierId quantity }
    refunds { state reason amount { minor currency } lines { tierId quantity } }
"""
_PAYMENT = """
    payment {
      provider publishableKey intentId clientSecret deadline secondsUntilDeadline testPaymentUrl
      lastDecline { code }
    }
"""
READ = f"query ($id: ID!) {{ order(id: $id) {{ {ORDER_FIELDS} {_PAYMENT} }} }}"
UPDATED = f"subscription ($id: ID!) {{ orderUpdated(orderId: $id) {{ {ORDER_FIELDS} {_PAYMENT} }} }}"
CANCEL = """
mutation ($input: CancelConcertInput!) {
  cancelConcert(input: $input) {
    __typename
    ... on CancelConcertSuccess { concert { status isOnSale version } }
    ... on DomainError { code message }
  }
}
"""
PROGRESS = """
query ($id: ID!) { concert(id: $id) { cancellation { startedAt finishedAt openOrders refundedOrders } } }
"""
_ERRORS = """
    __typename
    ... on DomainError { code message retryable retryAfterSeconds }
    ... on InvalidInputError { problems { path message } }
"""
_NOT_REFUNDABLE = "... on NotRefundableError { reason refundsUntil refundable }"


def order_mutation(name: str) -> str:
    """Return the document of a mutation that returns an order."""
    type_name = name[0].upper() + name[1:]
    is_refund = name == "refundOrder"
    errors = _ERRORS + (_NOT_REFUNDABLE if is_refund else "")
    # Organizers, who must not read the payment, refund orders too.
    fields = ORDER_FIELDS + ("" if is_refund else _PAYMENT)
    return f"""mutation ($input: {type_name}Input!) {{
      {name}(input: $input) {{ {errors} ... on {type_name}Success {{ order {{ {fields} }} }} }}
    }}"""


@dataclass(kw_only=True)
class OrderShop:
    """The steps that do not depend on the provider."""

    shop: Shop
    payments: OrderPayments
    ahead: timedelta = timedelta()
    """How far ahead the workers' clocks are."""

    def now(self) -> datetime:
        return now_ms() + self.ahead

    def make_worker(self) -> CancellationWorker:
        """Return the cancellation worker of another process."""
        return CancellationWorker(self.payments, clock=self.now)

    async def on_sale(self, **changes: object) -> OnSale:
        return await self.shop.on_sale(**({"tiers": TIERS} | changes))

    async def buy(self, concert: OnSale, *quantities: int, by: str = "alice") -> Answer:
        """Buy the given quantity of each tier, and return the order."""
        input_: dict[str, object] = {
            "concertId": concert.id,
            "lines": lines(concert, *quantities),
            "customerName": "Alice",
            "customerEmail": "alice@onsale.example",
            "idempotencyKey": new_key(),
        }
        answer = await self.change("purchaseTickets", input_, by=by)
        assert answer["__typename"] == "PurchaseTicketsSuccess", answer
        return answer["order"]

    async def change(self, mutation: str, input_: dict[str, object], *, by: str | None = "alice") -> Answer:
        """Send a mutation, and return its result."""
        return (await self.shop.fields(order_mutation(mutation), by=by, input=input_))[mutation]

    async def refund(self, order: Answer, *, by: str = "olivia", key: str | None = None, **rest: object) -> Answer:
        input_ = {"orderId": order["id"], "idempotencyKey": key or new_key(), **rest}
        return await self.change("refundOrder", input_, by=by)

    async def cancel(self, concert: OnSale) -> Answer:
        """Cancel a concert, and return the result."""
        return (await self.shop.fields(CANCEL, by="olivia", input={"concertId": concert.id}))["cancelConcert"]

    async def undo_orders(self) -> None:
        """Let the workers make one pass over the orders of each canceled concert, and do what that
        pass has requested.
        """
        for _ in range(2):
            # No pause of a job and no lease of an order lasts longer.
            self.ahead += timedelta(minutes=2)
            await self.make_worker().run_once(self.stores)
            await OrderWorker(self.payments, clock=self.now).run_once(self.stores)
        self.ahead += timedelta(minutes=2)
        await self.make_worker().run_once(self.stores)

    async def progress(self, concert: OnSale) -> Answer:
        return (await self.shop.fields(PROGRESS, by="olivia", id=concert.id))["concert"]["cancellation"]

    async def read(self, order: Answer, *, by: str = "alice") -> Answer:
        return (await self.shop.fields(READ, by=by, id=order["id"]))["order"]

    async def stored(self, order: Answer) -> Order:
        found = await self.stores.orders.get(order_id_of(order))
        assert found is not None
        return found

    @property
    def stores(self) -> Stores:
        return self.shop.stores


@dataclass(kw_only=True)
class PayingShop(OrderShop):
    provider: ProviderDouble

    async def buy_paid(self, concert: OnSale, *quantities: int, by: str = "alice") -> Answer:
        """Buy tickets, pay for them, and return the paid order."""
        order = await self.buy(concert, *quantities, by=by)
        await self.pay(order)
        return await self.read(order, by=by)

    async def pay(self, order: Answer) -> None:
        """Pay the order, and deliver the provider's message."""
        stored = await self.stored(order)
        await self.payments.apply(stored.id, stored.concert_id, [self.provider.pay(self.intent(order))])

    def intent(self, order: Answer) -> StoredIntent:
        return self.provider.intent_of(order_id_of(order))


def order_id_of(order: Answer) -> OrderId:
    return OrderId(decode(order["id"]).parts[0])


@asynccontextmanager
async def open_paying_shop(
    stores: Stores, redis_url: str, *, rates: RateLimits = NO_LIMITS
) -> AsyncIterator[PayingShop]:
    provider = ProviderDouble()
    # The schema shows only the names of real providers.
    provider.name = "sandbox"
    payments = OrderPayments(stores, provider)
    async with shop_on(stores, redis_url, rates=rates, payments=payments, checkout=CHECKOUT) as shop:
        yield PayingShop(shop=shop, provider=provider, payments=payments)
