"""Capacities change while processes crash at any step and the hot store loses data.

After any sequence of steps, the units held and sold do not exceed the stored capacity, no unit is
counted twice, and no order is lost. In the end, every capacity change is completed.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule

from domain.concerts import Concert, ConcertChange, TierChange
from domain.errors import (
    CapacityInUse,
    HoldEnded,
    LimitExceeded,
    NotFound,
    PurchaseInProgress,
    SoldOut,
    TemporarilyUnavailable,
    VersionConflict,
)
from domain.holds import Hold, HoldState
from domain.ids import HoldId, OrderId
from domain.orders import Order, OrderStatus
from domain.stock import TierStock
from resolvers import concerts, holds
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from storage.mongo.concert_transaction import ConcertTransaction
from storage.mongo.order_batch import Outcome
from storage.sync import house_units
from tests.support.hold_orders import order_of
from tests.support.model_runs import MODEL_TIMEOUT, StoreMachine, run_machine
from tests.support.sale import (
    all_orders,
    buy,
    check_invariants,
    context,
    hold,
    make_overdue,
    on_sale,
    opened,
    organizer,
)

R = TypeVar("R")
CAPACITIES = (12, 5)
EXPECTED_ERRORS = (HoldEnded, NotFound, PurchaseInProgress, SoldOut, TemporarilyUnavailable)
DEATHS = st.none() | st.tuples(st.integers(1, 8), st.booleans())
"""The number of the call at which the process dies, and whether that call takes effect."""


class Killed(BaseException):
    """Simulates a process crash. No exception handler in the product catches it."""


class Process:
    """Wraps a process's calls to its stores, so that the process can crash at any of them."""

    def __init__(self, stores: Stores) -> None:
        parts: dict[object, tuple[str, ...]] = {
            stores.hot_state: (
                "lower_capacity", "drop_proposal", "find_free_units", "record_order", "copy_concert",
                "mark_recovery", "finish_recovery",
            ),
            ConcertTransaction: ("commit", "move_units"),
            stores.concerts: ("raise_epoch",),
        }  # fmt: skip
        for part, names in parts.items():
            for name in names:
                setattr(part, name, self._wrap(getattr(part, name)))
        self._death: tuple[int, bool] | None = None
        self._calls = 0

    def schedule_death(self, death: tuple[int, bool] | None) -> None:
        self._death, self._calls = death, 0

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any, **kwargs: Any) -> Any:
            self._calls += 1
            dies_at, takes_effect = self._death or (0, False)
            if self._death is None or self._calls < dies_at:
                return await call(*args, **kwargs)
            if self._calls == dies_at and takes_effect:
                await call(*args, **kwargs)
            raise Killed

        return called


class CapacityMachine(StoreMachine):
    process: ClassVar[Process]
    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.process.schedule_death(None)
        self.concert = self.do(on_sale(self.stores, *CAPACITIES, limit_per_person=50, limit_per_order=10))
        self.orders: set[OrderId] = set()
        self.in_flight: list[Order] = []
        self.copies: list[list[bytes | None]] = []
        self.keys = 0

    def do(self, work: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(work)

    def attempt(self, work: Coroutine[Any, Any, Any], death: tuple[int, bool] | None = None) -> Any:
        """Run the work. Return its answer, its refusal or the simulated crash."""
        self.process.schedule_death(death)

        async def attempted() -> Any:
            return (await asyncio.gather(work, return_exceptions=True))[0]

        answer = self.do(attempted())
        self.process.schedule_death(None)
        if isinstance(answer, Killed):
            self.do(self.stores.recovery.aclose())
        return answer

    @rule(target=made, tier=st.sampled_from((0, 1)), quantity=st.integers(1, 4))
    def hold(self, tier: int, quantity: int) -> Any:
        self.keys += 1
        available = self.stock()[tier].available
        quantities = (quantity, 0) if tier == 0 else (0, quantity)
        answer = self.attempt(hold(self.stores, self.concert, *quantities, with_key=str(self.keys)))
        if quantity > available:
            assert isinstance(answer, SoldOut | LimitExceeded), answer
            return multiple()
        assert isinstance(answer, Hold), answer
        return answer

    @rule(held=made)
    def release(self, held: Hold) -> None:
        answer = self.attempt(holds.release_hold(context(self.stores, held.person_id), self.concert.id, held.id))
        assert isinstance(answer, Hold | NotFound | PurchaseInProgress), answer

    @rule(held=made, death=DEATHS)
    def buy(self, held: Hold, death: tuple[int, bool] | None) -> None:
        answer = self.attempt(buy(self.stores, held, with_key=held.id), death)
        if isinstance(answer, Order):
            self.orders.add(answer.id)
        else:
            assert isinstance(answer, (*EXPECTED_ERRORS, Killed)), answer

    @rule(held=made)
    def begin_purchase_only(self, held: Hold) -> None:
        """Begin a purchase. A later step inserts its order."""
        begun = self.attempt(
            self.stores.holds.begin_purchase(
                self.concert.id, held.id, person_id=held.person_id, purchase_key=held.id, digest=held.id
            )
        )
        if isinstance(begun, Hold):
            self.in_flight.append(order_of(self.concert, begun))

    @rule()
    def continue_purchase(self) -> None:
        if self.in_flight:
            order = self.in_flight.pop(0)
            if self.do(self.stores.order_batch.insert(order)) is Outcome.RECORDED:
                self.orders.add(order.id)
                self.do(self.stores.order_sync.sync(order))

    @rule(held=made)
    def settle(self, held: Hold) -> None:
        self.do(make_overdue(self.stores, held))
        for id_ in self.do(self.stores.hot_state.find_overdue_purchases(self.concert.id, limit=10)):
            self.do(self.stores.order_sync.settle(self.concert.id, id_))

    @rule(tier=st.sampled_from((0, 1)), capacity=st.integers(0, 16), death=DEATHS)
    def change_capacity(self, tier: int, capacity: int, death: tuple[int, bool] | None) -> None:
        before, counted = self.stored(), self.stock()[tier]
        in_use = counted.held + counted.sold
        answer = self.attempt(self.update(tier, capacity), death)
        after = self.stored()
        match answer:
            case Concert():
                assert after.tiers[tier].capacity == answer.tiers[tier].capacity == capacity
                again = self.attempt(self.update(tier, capacity))
                assert isinstance(again, Concert)
                assert again.tiers[tier].capacity == capacity
            case CapacityInUse():
                assert (answer.lowest, after.tiers) == (in_use, before.tiers)
                assert capacity < in_use
            case Killed():
                assert after.tiers[tier].capacity in (before.tiers[tier].capacity, capacity)
            case _:
                assert isinstance(answer, TemporarilyUnavailable | VersionConflict), answer
                assert after.tiers == before.tiers

    async def update(self, tier: int, capacity: int) -> Concert:
        change = ConcertChange(tiers=(TierChange(self.concert.tiers[tier].id, capacity=capacity),))
        return await concerts.update_concert(organizer(self.stores), self.concert.id, change, expected_version=None)

    @rule(death=DEATHS)
    def move_units(self, death: tuple[int, bool] | None) -> None:
        answer = self.attempt(self.stores.house_units.advance(self.concert.id, rounds=1), death)
        assert isinstance(answer, int | Killed), answer

    @rule(death=DEATHS)
    def settle_proposals(self, death: tuple[int, bool] | None) -> None:
        self.age_proposal()
        answer = self.attempt(self.stores.concert_writer.sync_if_changed(self.stored()), death)
        assert isinstance(answer, bool | Killed), answer

    @rule()
    def record_orders(self) -> None:
        self.do(self.stores.order_sync.sync_all(self.do(all_orders(self.stores, self.concert))))

    @rule(death=DEATHS)
    def lose_hot_store(self, death: tuple[int, bool] | None) -> None:
        self.do(self.stores.script_client.run_command("FLUSHALL"))
        self.attempt(self.stores.recovery.recover(self.concert.id), death)
        self.recover()

    @rule()
    def copy(self) -> None:
        names = concert_keys(self.concert.id)
        self.copies.append([self.do(self.stores.script_client.run_command("DUMP", name)) for name in names])

    @rule(chance=st.randoms(use_true_random=False), death=DEATHS)
    def restore_copy(self, chance: Any, death: tuple[int, bool] | None) -> None:
        if not self.copies:
            return
        names = concert_keys(self.concert.id)
        self.do(self.stores.script_client.run_command("DEL", *names))
        for name, content in zip(names, chance.choice(self.copies), strict=True):
            if content is not None:
                self.do(self.stores.script_client.run_command("RESTORE", name, "0", content))
        self.set_state("incarnation", "older")
        self.attempt(self.stores.recovery.recover(self.concert.id), death)
        self.recover()

    @rule()
    def pass_a_minute(self) -> None:
        """Let a minute pass, after which all purchases in flight have ended."""
        while self.in_flight:
            self.continue_purchase()
        self.set_state("recovered_ms", "1")

    def recover(self) -> None:
        """Recover until the store is trusted, even if an earlier recovery crashed."""
        for _ in range(5):
            self.set_state("mark_ms", "1")
            if self.do(self.stores.recovery.recover(self.concert.id)):
                return
        raise AssertionError("the store was not recovered")

    def set_state(self, name: str, value: str) -> None:
        self.do(self.stores.script_client.run_command("HSET", self.key("state"), name, value))

    def age_proposal(self) -> None:
        text = self.do(self.stores.script_client.run_command("HGET", self.key("state"), "proposed"))
        if text is not None:
            self.set_state("proposed", json.dumps(json.loads(text) | {"at_ms": 1}))

    def key(self, kind: str) -> str:
        return concert_keys(self.concert.id)[KINDS.index(kind)]

    def stored(self) -> Concert:
        async def read() -> Concert:
            concert = await self.stores.concerts.get(self.concert.id)
            assert concert is not None
            return concert

        return self.do(read())

    def is_held(self, order_id: OrderId) -> bool:
        found = self.do(self.stores.holds.get(self.concert.id, HoldId(order_id)))
        return found is not None and found.state in (HoldState.HELD, HoldState.BUYING)

    def stock(self) -> tuple[TierStock, ...]:
        return self.do(self.stores.holds.read_stock(self.concert)).tiers

    @invariant()
    def units_are_counted_once(self) -> None:
        recorded = self.do(all_orders(self.stores, self.concert))
        units = [unit for order in recorded for unit in order.units]
        assert len(units) == len(set(units))
        assert self.orders <= {order.id for order in recorded}
        for tier, counted in zip(self.stored().tiers, self.stock(), strict=True):
            mine = [order for order in recorded if order.lines[0].tier_id == tier.id]
            sold = sum(len(order.units) for order in mine if order.status is OrderStatus.PAID)
            withdrawn = sum(len(order.units) for order in mine if order.status is OrderStatus.WITHDRAWN)
            assert tier.top == tier.capacity + withdrawn + tier.to_withdraw
            # A crash can leave a hold open even though its order is recorded.
            both = sum(len(order.units) for order in mine if self.is_held(order.id))
            assert max(sold - both, counted.sold) + counted.held <= tier.capacity, (tier, counted, sold)
            assert 0 <= counted.available <= tier.capacity - counted.held - counted.sold

    def teardown(self) -> None:
        self.pass_a_minute()
        self.settle_proposals(None)
        for _ in range(200):
            self.record_orders()
            self.move_units(None)
            if not any(tier.to_withdraw for tier in self.stored().tiers):
                break
        self.settle_proposals(None)
        self.record_orders()
        assert [tier.capacity_target for tier in self.stored().tiers] == [None, None]
        counted = self.stock()
        assert [tier.capacity for tier in counted] == [tier.capacity for tier in self.stored().tiers]
        self.do(check_invariants(self.stores, self.concert))


@MODEL_TIMEOUT
def test_capacities_stay_exact_despite_crashes(
    valkey_url: str, mongo_url: str, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house_units, "MAX_UNITS_PER_TRANSACTION", 3)
    monkeypatch.setattr(house_units, "MAX_UNITS_PER_ORDER", 2)
    opening = opened(valkey_url, mongo_url, mongo_database)

    def prepare() -> None:
        CapacityMachine.process = Process(CapacityMachine.stores)

    run_machine(CapacityMachine, opening, examples=25, steps=30, prepare=prepare)
