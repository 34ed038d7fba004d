"""Orders on real stores with a provider in memory and a clock that tests move."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.concerts import Concert, TierDraft
from domain.holds import Hold
from domain.ids import fingerprint
from domain.orders import Order
from payments.saga.crash_points import Reached, ignore
from payments.saga.order_payments import OrderPayments, now_ms
from resolvers.purchase import Purchase
from storage.connect import Stores
from tests.support.provider_double import ProviderDouble, StoredIntent
from tests.support.sale import CUSTOMER, hold, key, on_sale, opened


@dataclass
class Till:
    """A concert on sale whose orders are paid at the provider double."""

    stores: Stores
    provider: ProviderDouble = field(default_factory=ProviderDouble)
    reached: Reached = ignore
    ahead: timedelta = timedelta()
    """How far ahead the saga's clock is."""

    def __post_init__(self) -> None:
        self.payments = self.make_payments()

    def make_payments(self, **options: Any) -> OrderPayments:
        """Return the payments of another process with the same stores and provider."""
        return OrderPayments(self.stores, self.provider, clock=self.now, reached=self._reached, **options)

    def _reached(self, point: Any) -> None:
        self.reached(point)

    def now(self) -> datetime:
        return now_ms() + self.ahead

    async def buy(self, made: Hold, *, with_key: str = "") -> Order:
        return await self.purchase(made, with_key=with_key).run(self.stores, self.payments)

    def purchase(self, made: Hold, *, with_key: str = "") -> Purchase:
        asked = fingerprint(made.person_id, made.concert_id, "purchaseTickets", with_key or key())
        return Purchase(made.concert_id, made.id, made.person_id, CUSTOMER, key=asked, digest=fingerprint(made.id))

    async def order(self, concert: Concert, *quantities: int, who: str = "alice") -> Order:
        """Return a new order that waits for its payment."""
        return await self.buy(await hold(self.stores, concert, *quantities, who=who))

    async def pay(self, order: Order) -> Order:
        """Pay the order's intent, and apply the provider's message."""
        paid = await self.payments.apply(order.id, order.concert_id, [self.provider.pay(self.intent(order))])
        assert paid is not None
        return paid

    async def paid_order(self, concert: Concert, *quantities: int, who: str = "alice") -> Order:
        return await self.pay(await self.order(concert, *quantities, who=who))

    async def advance(self, order: Order) -> Order:
        """Do what the order worker would do now."""
        return await self.payments.advance(await self.read(order), self.now())

    async def read(self, order: Order) -> Order:
        found = await self.stores.orders.get(order.id)
        assert found is not None
        return found

    def intent(self, order: Order) -> StoredIntent:
        return self.provider.intent_of(order.id)


@asynccontextmanager
async def opened_till(redis_url: str, mongo_url: str, database: str) -> AsyncIterator[Till]:
    async with opened(redis_url, mongo_url, database) as stores:
        yield Till(stores)


async def concert_for_sale(
    till: Till, *capacities: int, prices: tuple[int, ...] | None = None, **changes: Any
) -> Concert:
    """Put a concert on sale, with these prices in minor units, or 25.00 for each tier."""
    pairs = enumerate(zip(prices or [2_500] * len(capacities), capacities, strict=True), 1)
    tiers = tuple(TierDraft(f"Tier {number}", *pair) for number, pair in pairs)
    return await on_sale(till.stores, *capacities, tiers=tiers, **changes)


def crash_at(wanted: object) -> Callable[[object], None]:
    """Return a hook that raises Crashed at one crash point."""

    def reached(point: object) -> None:
        if point is wanted:
            raise Crashed(str(point))

    return reached


class Crashed(BaseException):
    """The process ended here. This is not an Exception, so that no handler catches it."""
