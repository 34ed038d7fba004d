"""The real scripts and a small model agree on the stock after any sequence of steps."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import CapacityInUse, HoldEnded, LimitExceeded, NotFound, PurchaseInProgress, SoldOut
from domain.holds import Hold, HoldState
from domain.ids import OrderId
from resolvers import concerts, holds
from storage.connect import Stores
from tests.support.concurrency import gather_results
from tests.support.hot_keys import make_due
from tests.support.sale import buy, check_invariants, context, hold, make_overdue, on_sale, opened, organizer, stock
from workers.expiry import ExpiryWorker
from workers.settle import SettleWorker

R = TypeVar("R")
CAPACITIES = (6, 4)
LIMIT = 4
PEOPLE = ("ann", "ben", "cyd")


@dataclass
class Model:
    """Counts the free units, and the units that each person holds and owns."""

    capacity: list[int] = field(default_factory=lambda: list(CAPACITIES))
    held: dict[str, tuple[str, tuple[int, int]]] = field(default_factory=dict)
    sold: dict[str, tuple[str, tuple[int, int]]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    def free(self, tier: int) -> int:
        return self.capacity[tier] - sum(q[tier] for _, q in [*self.held.values(), *self.sold.values()])

    def count(self, who: str) -> int:
        return sum(sum(q) for owner, q in [*self.held.values(), *self.sold.values()] if owner == who)

    def expected(self, who: str, quantities: tuple[int, int]) -> type[Exception] | None:
        if self.count(who) + sum(quantities) > LIMIT:
            return LimitExceeded
        return SoldOut if any(quantities[tier] > self.free(tier) for tier in (0, 1)) else None

    def stock(self) -> list[tuple[int, int, int]]:
        return [(self.free(t), _sum(self.held, t), _sum(self.sold, t)) for t in (0, 1)]


def _sum(part: dict[str, tuple[str, tuple[int, int]]], tier: int) -> int:
    return sum(quantities[tier] for _, quantities in part.values())


class InventoryMachine(RuleBasedStateMachine):
    """Each run uses a new concert; the test sets `runner` and `stores`."""

    runner: ClassVar[asyncio.Runner]
    stores: ClassVar[Stores]
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
        self.model.known.add(answers[0].id)
        return answers[0]

    @rule(held=made)
    def release(self, held: Hold) -> None:
        (answer,) = self.do(
            gather_results(holds.release_hold(context(self.stores, held.person_id), self.concert.id, held.id))
        )
        if held.id in self.model.sold:
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
        if held.id in self.model.sold:
            assert [answer.id for answer in answers] == [OrderId(held.id)] * len(answers)
        else:
            expected = NotFound if held.id in self.model.lost else HoldEnded
            assert [type(answer) for answer in answers] == [expected] * len(answers)

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
        self.model.lost |= self.model.known - set(self.model.sold)

    @invariant()
    def stock_matches_the_model(self) -> None:
        assert self.do(stock(self.stores, self.concert)) == self.model.stock()
        self.do(check_invariants(self.stores, self.concert))


@pytest.mark.timeout(300)
def test_inventory_matches_its_model(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    with asyncio.Runner() as runner:
        opening = opened(valkey_url, mongo_url, mongo_database)
        InventoryMachine.runner, InventoryMachine.stores = runner, runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(
                InventoryMachine,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))
