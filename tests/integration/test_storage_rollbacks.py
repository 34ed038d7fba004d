"""Random sales in which the store is rolled back at any step or every script call is repeated.

After each step, both stores agree on every unit, person and deadline.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import (
    CapacityInUse,
    HoldEnded,
    IdempotencyConflict,
    LimitExceeded,
    NotFound,
    PurchaseInProgress,
    SoldOut,
    TemporarilyUnavailable,
)
from domain.holds import Hold
from domain.orders import Order, OrderStatus
from resolvers import concerts, holds
from storage.connect import Stores
from storage.hot.holds import OrderExists
from storage.mongo.order_batch import Outcome
from tests.support.hold_orders import order_of
from tests.support.hot_keys import make_due
from tests.support.sale import all_orders, buy, check_invariants, context, hold, make_overdue, on_sale, organizer
from tests.support.script_calls import repeated_calls
from tests.support.store_copies import ConcertCopy
from tests.support.unpaid_orders import begin, next_version, store_next, unpaid_order_of
from tests.support.waiting import wait_until

EXPECTED = (
    OrderExists,
    CapacityInUse,
    HoldEnded,
    IdempotencyConflict,
    LimitExceeded,
    NotFound,
    PurchaseInProgress,
    SoldOut,
    TemporarilyUnavailable,
)
STEPS = 30


class RandomSale:
    def __init__(self, stores: Stores, concert: Concert, seed: int) -> None:
        self.stores = stores
        self.concert = concert
        self.chance = random.Random(seed)
        self.made: list[Hold] = []
        self.copies: list[ConcertCopy] = []
        self.trail: list[str] = []

    async def step(self, steps: list[Callable[[], Awaitable[Any]]]) -> None:
        step = self.chance.choice(steps)
        answer: Any = (await asyncio.gather(_awaited(step), return_exceptions=True))[0]
        self.trail.append(f"{step.__name__}: {answer!r}")
        assert not isinstance(answer, BaseException) or isinstance(answer, EXPECTED), self.trail
        try:
            await check_invariants(self.stores, self.concert)
        except AssertionError as error:
            raise AssertionError("\n".join(self.trail)) from error

    def choose_hold(self) -> Hold:
        return self.chance.choice(self.made)

    async def hold(self) -> Hold:
        quantities = self.chance.choice([(1, 0), (2, 0), (3, 1), (0, 2)])
        who = self.chance.choice("abcd")
        self.made.append(await hold(self.stores, self.concert, *quantities, who=who))
        return self.made[-1]

    async def release(self) -> Hold | None:
        if not self.made:
            return None
        chosen = self.choose_hold()
        return await holds.release_hold(context(self.stores, chosen.person_id), self.concert.id, chosen.id)

    async def buy(self) -> Any:
        return (
            await buy(self.stores, chosen, with_key=chosen.id) if self.made and (chosen := self.choose_hold()) else None
        )

    async def buy_several(self) -> Any:
        buying = [buy(self.stores, chosen, with_key=chosen.id) for chosen in self.made[-4:]]
        return await asyncio.gather(*buying, return_exceptions=True)

    async def settle(self) -> Any:
        if self.made:
            await make_overdue(self.stores, self.choose_hold())
        overdue = await self.stores.hot_state.find_overdue_purchases(self.concert.id, limit=10)
        return [await self.stores.order_sync.settle(self.concert.id, id_) for id_ in overdue]

    async def expire(self) -> Any:
        if self.made:
            await make_due(self.stores, self.concert, "deadlines", self.choose_hold().id)
        return await self.stores.hot_state.expire_holds(self.concert.id, limit=100)

    async def resize(self) -> Any:
        change = TierChange(self.chance.choice(self.concert.tiers).id, capacity=self.chance.randint(0, 8))
        update = ConcertChange(tiers=(change,))
        return await concerts.update_concert(organizer(self.stores), self.concert.id, update, expected_version=None)

    async def copy(self) -> None:
        self.copies.append(await ConcertCopy(self.stores, self.concert).take())

    async def put_back(self) -> None:
        if self.copies:
            await self.chance.choice(self.copies).put_back()
            await wait_until(lambda: self.stores.recovery.recover(self.concert.id), what="the recovery")

    async def roll_back_during_a_purchase(self) -> Any:
        """Roll the store back before or after the order is inserted."""
        if not self.made:
            return None
        chosen = self.choose_hold()
        begun = await self.stores.holds.begin_purchase(
            self.concert.id, chosen.id, person_id=chosen.person_id, purchase_key=chosen.id, digest=chosen.id
        )
        order = order_of(self.concert, begun)
        is_before = self.chance.random() < 0.5
        if is_before:
            await self.put_back()
        outcome = await self.stores.order_batch.insert(order)
        if not is_before:
            await self.put_back()
        if outcome is Outcome.RECORDED:
            await self.stores.order_sync.sync(order)
        return outcome

    async def order_unpaid(self) -> Any:
        """Order tickets that are not free. The store may be rolled back before the order is
        recorded in it.
        """
        made = await self.hold() if self.chance.random() < 0.7 or not self.made else self.choose_hold()
        order = unpaid_order_of(self.concert, await begin(self.stores, made))
        if await self.stores.order_batch.insert(order) is not Outcome.RECORDED:
            # The store had lost the owners of these units.
            return await self.stores.order_sync.sync_owners(order.units)
        return await self._tell(order)

    async def decide_payment(self) -> Any:
        """Pay or end an unpaid order, or pay one that has ended. A late payment may be left as it
        is.
        """
        orders = [order for order in await all_orders(self.stores, self.concert) if order.status in _UNDECIDED]
        if not orders:
            return None
        order = self.chance.choice(orders)
        if order.status is OrderStatus.PENDING_PAYMENT:
            is_paid = self.chance.random() < 0.5
            status = OrderStatus.PAID if is_paid else OrderStatus.EXPIRED
            return await self._change(next_version(order, status, is_living=is_paid))
        if order.status is OrderStatus.EXPIRED:
            return await self._change(next_version(order, OrderStatus.LATE_PAYMENT))
        return await self._take_again(order)

    async def _take_again(self, order: Order) -> Any:
        taken = await self.stores.hot_state.take_again(order, starts_at=self.concert.terms.starts_at)
        if self.chance.random() < 0.3:
            return taken
        if taken.word != "TAKEN":
            return await self._change(next_version(order, OrderStatus.REFUND_PENDING))
        return await self._change(replace(next_version(order, OrderStatus.PAID), units=taken.units))

    async def _change(self, order: Order) -> Any:
        """Store the next version of an order, unless another order has one of its units."""
        try:
            await store_next(self.stores, order)
        except DuplicateKeyError:
            return await self.stores.order_sync.sync_owners(order.units)
        return await self._tell(order)

    async def _tell(self, order: Order) -> Any:
        """Record an order that is in MongoDB. The store may be rolled back before that."""
        if self.copies and self.chance.random() < 0.3:
            await self.put_back()
        assert await self.stores.order_sync.sync(order)
        return order

    def payment_steps(self) -> list[Callable[[], Awaitable[Any]]]:
        return [self.order_unpaid, self.order_unpaid, *[self.decide_payment] * 4]

    def sale_steps(self) -> list[Callable[[], Awaitable[Any]]]:
        return [self.hold, self.hold, self.hold, self.release, self.buy, self.buy, self.buy_several, self.settle,
                self.expire, self.resize]  # fmt: skip


_UNDECIDED = (OrderStatus.PENDING_PAYMENT, OrderStatus.EXPIRED, OrderStatus.LATE_PAYMENT)


async def _awaited(step: Callable[[], Awaitable[Any]]) -> Any:
    return await step()


@pytest.mark.parametrize("seed", range(12))
async def test_rollbacks_at_any_step_keep_both_stores_consistent(stores: Stores, seed: int) -> None:
    sale = RandomSale(stores, await on_sale(stores, 6, 4, limit_per_person=6, limit_per_order=6), seed)
    steps = [*sale.sale_steps(), sale.copy, sale.copy, sale.put_back, sale.roll_back_during_a_purchase]
    for _ in range(STEPS):
        await sale.step(steps)


@pytest.mark.parametrize("seed", range(8))
async def test_rollbacks_at_any_step_of_a_payment_lose_no_unit(stores: Stores, seed: int) -> None:
    sale = RandomSale(stores, await on_sale(stores, 6, 4, limit_per_person=6, limit_per_order=6), seed)
    others = [sale.hold, sale.release, sale.settle, sale.expire, sale.copy, sale.put_back]
    for _ in range(2 * STEPS):
        await sale.step([*sale.payment_steps(), *others])


@pytest.mark.parametrize("seed", range(4))
async def test_payment_calls_that_arrive_twice_count_once(stores: Stores, seed: int) -> None:
    with repeated_calls(stores):
        sale = RandomSale(stores, await on_sale(stores, 6, 4, limit_per_person=6, limit_per_order=6), seed)
        for _ in range(STEPS):
            await sale.step([*sale.payment_steps(), *sale.sale_steps()])


@pytest.mark.parametrize("seed", range(6))
async def test_calls_that_arrive_twice_keep_both_stores_consistent(stores: Stores, seed: int) -> None:
    with repeated_calls(stores):
        sale = RandomSale(stores, await on_sale(stores, 6, 4, limit_per_person=6, limit_per_order=6), seed)
        for _ in range(STEPS):
            await sale.step(sale.sale_steps())
