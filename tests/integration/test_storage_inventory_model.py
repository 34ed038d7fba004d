"""The real scripts and a small model agree on the stock after any sequence of steps."""

from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import CapacityInUse, HoldEnded, LimitExceeded, NotFound, PurchaseInProgress, SoldOut
from domain.holds import Hold, HoldState, units_per_tier
from domain.ids import HoldId, OrderId, Unit, tier_of
from domain.orders import Order, OrderStatus
from resolvers import concerts, holds
from storage.hot.hot_state import TakenUnits
from tests.support.concurrency import gather_results
from tests.support.hot_keys import make_due
from tests.support.model_runs import MODEL_TIMEOUT, StoreMachine, run_machine
from tests.support.sale import buy, check_invariants, context, hold, make_overdue, on_sale, opened, organizer, stock
from tests.support.unpaid_orders import begin, insert, next_version, store_next, unpaid_order_of
from workers.expiry import ExpiryWorker
from workers.settle import SettleWorker

R = TypeVar("R")
CAPACITIES = (6, 4)
LIMIT = 4
PEOPLE = ("ann", "ben", "cyd")


RANDOMS = st.randoms(use_true_random=False)
Quantities = tuple[int, int]
Part = dict[str, tuple[str, Quantities]]
"""The person and the quantities per tier, by the id of the hold."""


@dataclass
class Model:
    """Counts the free units, and the units that each person holds and owns."""

    capacity: list[int] = field(default_factory=lambda: list(CAPACITIES))
    held: Part = field(default_factory=dict)
    unpaid: Part = field(default_factory=dict)
    """Orders that await payment."""
    dead: Part = field(default_factory=dict)
    """Orders that ended unpaid."""
    late: Part = field(default_factory=dict)
    """Orders that were paid after they had ended, and have no units."""
    taken: Part = field(default_factory=dict)
    """Late orders whose units were taken again, but are not yet recorded in MongoDB."""
    sold: Part = field(default_factory=dict)
    refunded: set[str] = field(default_factory=set)
    known: list[str] = field(default_factory=list)
    """All holds, in order of creation. Their ids are random, but a choice among them must be the
    same when Hypothesis runs the same steps again.
    """
    lost: set[str] = field(default_factory=set)
    keyed: set[str] = field(default_factory=set)
    """Holds whose order can be found under the key with which the test buys."""

    @property
    def ordered(self) -> set[str]:
        return {*self.unpaid, *self.dead, *self.late, *self.taken, *self.sold, *self.refunded}

    def has_order(self, id_: str) -> bool:
        """Return whether buying a hold leads to its order. An ended order is found only under the
        keys with which it was bought.
        """
        is_over = id_ in {*self.dead, *self.late, *self.refunded}
        return id_ in self.ordered and (not is_over or id_ in self.keyed)

    def free(self, tier: int) -> int:
        return self.capacity[tier] - self.count_held(tier) - _sum(self.sold, tier)

    def count_held(self, tier: int) -> int:
        return sum(_sum(part, tier) for part in (self.held, self.unpaid, self.taken))

    def count(self, who: str) -> int:
        parts = (self.held, self.unpaid, self.taken, self.sold)
        return sum(sum(q) for part in parts for owner, q in part.values() if owner == who)

    def is_over_limit(self, who: str, quantities: Quantities) -> bool:
        return self.count(who) + sum(quantities) > LIMIT

    def is_sold_out(self, quantities: Quantities) -> bool:
        return any(0 < quantities[tier] > self.free(tier) for tier in (0, 1))

    def expected(self, who: str, quantities: Quantities) -> type[Exception] | None:
        if self.is_over_limit(who, quantities):
            return LimitExceeded
        return SoldOut if self.is_sold_out(quantities) else None

    def expected_again(self, who: str, quantities: Quantities) -> str:
        if self.is_sold_out(quantities):
            return "SOLD_OUT"
        return "PERSON_LIMIT" if self.is_over_limit(who, quantities) else "TAKEN"

    def stock(self) -> list[tuple[int, int, int]]:
        return [(self.free(t), self.count_held(t), _sum(self.sold, t)) for t in (0, 1)]


def _sum(part: Part, tier: int) -> int:
    return sum(quantities[tier] for _, quantities in part.values())


class InventoryMachine(StoreMachine):
    """Each run uses a new concert; the test sets `runner` and `stores`."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.concert = self.do(on_sale(self.stores, *CAPACITIES, limit_per_person=LIMIT, limit_per_order=LIMIT))
        self.model = Model()
        self.keys = 0

    def do(self, work: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(work)

    @rule(target=made, who=st.sampled_from(PEOPLE), one=st.integers(0, 3), two=st.integers(0, 3), twice=st.booleans())
    def hold(self, who: str, one: int, two: int, twice: bool) -> Any:
        if one + two == 0:
            return multiple()
        self.keys += 1
        expected = self.model.expected(who, (one, two))
        requests = [
            hold(self.stores, self.concert, one, two, who=who, with_key=str(self.keys)) for _ in range(1 + twice)
        ]
        answers = self.do(gather_results(*requests))
        if expected is not None:
            assert [type(answer) for answer in answers] == [expected] * len(answers)
            return multiple()
        assert isinstance(answers[0], Hold)
        assert answers == [answers[0]] * len(answers)
        self.model.held[answers[0].id] = (who, (one, two))
        self.model.known.append(answers[0].id)
        return answers[0]

    @rule(held=made)
    def release(self, held: Hold) -> None:
        (answer,) = self.do(
            gather_results(holds.release_hold(context(self.stores, held.person_id), self.concert.id, held.id))
        )
        if held.id in {*self.model.sold, *self.model.unpaid, *self.model.taken}:
            assert isinstance(answer, PurchaseInProgress)
        elif held.id in self.model.lost:
            assert isinstance(answer, NotFound)
        else:
            assert isinstance(answer, Hold)
            assert answer.state is HoldState.ENDED
            self.model.held.pop(held.id, None)

    @rule(held=made, twice=st.booleans())
    def buy(self, held: Hold, twice: bool) -> None:
        answers = self.do(gather_results(*[buy(self.stores, held, with_key=f"{held.id}") for _ in range(1 + twice)]))
        if held.id in self.model.held:
            self.model.sold[held.id] = self.model.held.pop(held.id)
        if self.model.has_order(held.id):
            self.model.keyed.add(held.id)
            assert [answer.id for answer in answers] == [OrderId(held.id)] * len(answers)
        else:
            expected = NotFound if held.id in self.model.lost else HoldEnded
            assert [type(answer) for answer in answers] == [expected] * len(answers)

    @rule(
        target=made, who=st.sampled_from(PEOPLE), one=st.integers(0, 2), two=st.integers(0, 2), is_settled=st.booleans()
    )
    def order_unpaid(self, who: str, one: int, two: int, is_settled: bool) -> Any:
        """Order tickets that are not free. If the process then dies, the order is found when the
        purchase is settled.
        """
        if one + two == 0 or self.model.expected(who, (one, two)):
            return multiple()
        self.keys += 1
        held = self.do(hold(self.stores, self.concert, one, two, who=who, with_key=str(self.keys)))
        order = self.do(insert(self.stores, unpaid_order_of(self.concert, self.do(begin(self.stores, held)))))
        if is_settled:
            assert self.do(self.stores.order_sync.settle(self.concert.id, held.id)) is HoldState.BUYING
        else:
            assert self.do(self.stores.order_sync.record(order))
        self.model.unpaid[held.id] = (who, (one, two))
        self.model.known.append(held.id)
        return held

    @precondition(lambda self: self.model.unpaid)
    @rule(chance=RANDOMS, becomes=st.sampled_from(["paid", "dead", "late"]))
    def decide_payment(self, chance: Random, becomes: str) -> None:
        id_, order = self.choose(chance, self.model.unpaid)
        counted = self.model.unpaid.pop(id_)
        if becomes == "paid":
            self.store(next_version(order, OrderStatus.PAID))
            self.model.sold[id_] = counted
            return
        ended = self.store(next_version(order, OrderStatus.EXPIRED, is_living=False), is_told=becomes == "dead")
        self.model.dead[id_] = counted
        if becomes == "late":
            # The hot store does not learn that the order has ended before its payment arrives.
            late = self.store(next_version(ended, OrderStatus.LATE_PAYMENT), is_told=False)
            taken = self.do(self.stores.hot_state.take_again(late, starts_at=self.concert.terms.starts_at))
            assert (taken.word, set(taken.units)) == ("TAKEN", set(ended.released_units))
            self.model.taken[id_] = self.model.dead.pop(id_)

    @precondition(lambda self: self.model.dead)
    @rule(chance=RANDOMS, is_told=st.booleans())
    def pay_late(self, chance: Random, is_told: bool) -> None:
        id_, order = self.choose(chance, self.model.dead)
        late = self.store(next_version(order, OrderStatus.LATE_PAYMENT), is_told=is_told)
        self.model.late[id_] = self.model.dead.pop(id_)
        self.take_again(late)

    @precondition(lambda self: self.model.late or self.model.taken)
    @rule(chance=RANDOMS, is_refunded=st.booleans())
    def finish_late(self, chance: Random, is_refunded: bool) -> None:
        id_, order = self.choose(chance, self.model.late | self.model.taken)
        taken = self.take_again(order)
        if is_refunded:
            self.store(next_version(order, OrderStatus.REFUND_PENDING))
            self.model.late.pop(id_, None)
            self.model.taken.pop(id_, None)
            self.model.refunded.add(id_)
        elif id_ in self.model.taken:
            self.store(replace(next_version(order, OrderStatus.PAID), units=taken.units))
            self.model.sold[id_] = self.model.taken.pop(id_)

    @precondition(lambda self: self.model.sold)
    @rule(chance=RANDOMS)
    def refund(self, chance: Random) -> None:
        """Return some or all of the units of a paid order."""
        id_, order = self.choose(chance, self.model.sold)
        kept = tuple(unit for unit in self.by_tier(order.units) if chance.random() < 0.5)
        released = tuple(unit for unit in order.units if unit not in kept)
        status = order.status if kept else OrderStatus.REFUNDED
        self.store(replace(next_version(order, status), units=kept, released_units=released))
        self.model.sold[id_] = (order.person_id, self.quantities(kept))
        if not kept:
            del self.model.sold[id_]
            self.model.refunded.add(id_)

    @precondition(lambda self: self.model.ordered)
    @rule(chance=RANDOMS, is_settled=st.booleans())
    def record_again(self, chance: Random, is_settled: bool) -> None:
        id_, order = self.choose(chance, self.model.ordered)
        if is_settled:
            self.do(self.stores.order_sync.settle(self.concert.id, HoldId(id_)))
        assert self.do(self.stores.order_sync.sync(order))

    def choose(self, chance: Random, ids: Iterable[str]) -> tuple[str, Order]:
        """Choose one of these orders, and read it from MongoDB."""
        id_ = chance.choice(sorted(ids, key=self.model.known.index))

        async def read() -> Order:
            order = await self.stores.orders.get(OrderId(id_))
            assert order is not None
            return order

        return id_, self.do(read())

    def by_tier(self, units: tuple[Unit, ...]) -> list[Unit]:
        """Sort units by the position of their tier, because the ids of tiers are random, too."""
        tiers = [tier.id for tier in self.concert.tiers]
        return sorted(units, key=lambda unit: (tiers.index(tier_of(unit)), unit))

    def quantities(self, units: tuple[Unit, ...]) -> Quantities:
        counted = units_per_tier(units)
        one, two = (counted[tier.id] for tier in self.concert.tiers)
        return one, two

    def store(self, order: Order, *, is_told: bool = True) -> Order:
        self.do(store_next(self.stores, order))
        if is_told:
            assert self.do(self.stores.order_sync.sync(order))
        return order

    def take_again(self, order: Order) -> TakenUnits:
        taken = self.do(self.stores.hot_state.take_again(order, starts_at=self.concert.terms.starts_at))
        if order.id in self.model.taken:
            assert taken.word == "TAKEN"
        else:
            assert taken.word == self.model.expected_again(*self.model.late[order.id])
            if taken.word == "TAKEN":
                self.model.taken[order.id] = self.model.late.pop(order.id)
        _, quantities = self.model.taken.get(order.id, ("", (0, 0)))
        assert self.quantities(taken.units) == quantities
        return taken

    @rule(held=made)
    def expire(self, held: Hold) -> None:
        self.do(make_due(self.stores, self.concert, "deadlines", held.id))
        done = self.do(ExpiryWorker().run_once(self.stores))
        assert done == (1 if self.model.held.pop(held.id, None) else 0)

    @rule(held=consumes(made))
    def leave_a_purchase_open(self, held: Hold) -> None:
        """Begin a purchase that is never recorded, and settle it."""
        begin = self.stores.holds.begin_purchase(
            self.concert.id, held.id, person_id=held.person_id, purchase_key=held.id, digest="d"
        )
        (answer,) = self.do(gather_results(begin))
        if not isinstance(answer, Hold):
            return
        self.do(make_overdue(self.stores, held))
        assert self.do(SettleWorker().run_once(self.stores)) == 1
        del self.model.held[held.id]

    @rule(tier=st.sampled_from((0, 1)), capacity=st.integers(0, 8))
    def change_capacity(self, tier: int, capacity: int) -> None:
        change = ConcertChange(tiers=(TierChange(self.concert.tiers[tier].id, capacity=capacity),))
        update = concerts.update_concert(organizer(self.stores), self.concert.id, change, expected_version=None)
        (answer,) = self.do(gather_results(update))
        in_use = self.model.capacity[tier] - self.model.free(tier)
        if capacity < in_use:
            assert isinstance(answer, CapacityInUse)
            assert answer.lowest == in_use
        else:
            assert isinstance(answer, Concert), answer
            self.model.capacity[tier] = capacity

    @rule()
    def wipe_the_hot_store(self) -> None:
        """Orders are restored from MongoDB; holds, including ended ones, are lost."""
        self.do(self.stores.script_client.run_command("FLUSHALL"))
        assert self.do(self.stores.recovery.recover(self.concert.id))
        self.model.held.clear()
        self.model.keyed.clear()
        self.model.lost |= {*self.model.known} - self.model.ordered
        self.model.late |= self.model.taken
        self.model.taken.clear()

    @invariant()
    def stock_matches_the_model(self) -> None:
        assert self.do(stock(self.stores, self.concert)) == self.model.stock()
        self.do(check_invariants(self.stores, self.concert))


@MODEL_TIMEOUT
def test_inventory_matches_its_model(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    opening = opened(valkey_url, mongo_url, mongo_database)
    run_machine(InventoryMachine, opening, examples=25, steps=30)
