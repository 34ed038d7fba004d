"""Each invariant of a sale holds in real stores, and fails when one record is falsified."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio
from motor.motor_asyncio import AsyncIOMotorDatabase
from redis.asyncio import Redis

from auth.viewer import Role, Viewer
from bench.clients.catalog import sale_concert
from bench.clients.ledger import Receipt, TicketLine
from domain.concerts import Concert
from domain.holds import TicketRequest
from domain.ids import PersonId
from domain.orders import Customer, Order
from proofs.sale.records.invariants import judge, oversold_units
from proofs.sale.records.store_dump import all_holds_ended, read_store_dump
from proofs.waiting_room.invariants import find_violations
from resolvers import concerts, holds, orders
from resolvers.context import Context
from schema import ids
from storage.connect import Stores, open_stores
from storage.keys import KINDS, concert_keys
from tests.support.sale import PASSES

OLIVIA = Viewer(PersonId("olivia"), "olivia", None, frozenset({Role.ORGANIZER}))


@dataclass(frozen=True, slots=True)
class Sold:
    """A small sale: alice has three tickets of two tiers, bob has two, one hold was released."""

    stores: Stores
    redis: Redis
    mongo: "AsyncIOMotorDatabase[dict[str, Any]]"
    concert: Concert
    orders: tuple[Order, Order]
    receipts: Mapping[str, Receipt]

    def key(self, kind: str) -> str:
        return concert_keys(self.concert.id)[KINDS.index(kind)]

    async def broken(self, receipts: Mapping[str, Receipt] | None = None) -> dict[str, tuple[str, ...]]:
        """Return the violating rows by invariant."""
        dump = await read_store_dump(self.redis, self.mongo, self.concert.id)
        verdicts = judge(dump, self.receipts if receipts is None else receipts)
        return {verdict.invariant: verdict.offending for verdict in verdicts if verdict.offending}


@pytest_asyncio.fixture
async def sold(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Sold]:
    async with (
        open_stores(valkey_url, mongo_url, mongo_database) as stores,
        Redis.from_url(valkey_url, decode_responses=True) as redis,
    ):
        concert = await _open_sale(stores)
        first, second, third = (tier.id for tier in concert.tiers)
        alice = await _buy(stores, "alice", concert, TicketRequest(first, 1), TicketRequest(second, 2))
        bob = await _buy(stores, "bob", concert, TicketRequest(third, 2))
        carol = _context(stores, "carol")
        hold = await holds.hold_tickets(carol, concert.id, (TicketRequest(first, 2),), "key")
        await holds.release_hold(carol, concert.id, hold.id)
        receipts = {str(ids.of_order(order.id)): _receipt(order) for order in (alice, bob)}
        yield Sold(stores, redis, stores.mongo, concert, (alice, bob), MappingProxyType(receipts))


async def _open_sale(stores: Stores) -> Concert:
    context = Context(stores, PASSES, OLIVIA, "test")
    draft = await concerts.create_concert(context, sale_concert(30, datetime.now(UTC)))
    return await concerts.publish_concert(context, draft.id)


async def _buy(stores: Stores, name: str, concert: Concert, *lines: TicketRequest) -> Order:
    context = _context(stores, name)
    hold = await holds.hold_tickets(context, concert.id, lines, "hold")
    return await orders.purchase_hold(context, concert.id, hold.id, Customer(name, f"{name}@example.com"), "buy")


def _context(stores: Stores, name: str) -> Context:
    return Context(stores, PASSES, Viewer(PersonId(name), name, None, frozenset({Role.CUSTOMER})), "test")


def _receipt(order: Order) -> Receipt:
    lines = tuple(TicketLine(str(ids.of_tier(line.tier_id)), line.quantity) for line in order.lines)
    return Receipt(str(ids.of_order(order.id)), order.person_id, order.customer.email, lines, order.total.minor)


async def test_true_records_violate_nothing(sold: Sold) -> None:
    assert await sold.broken() == {}
    assert await all_holds_ended(sold.redis, sold.concert.id)
    assert oversold_units(await read_store_dump(sold.redis, sold.mongo, sold.concert.id)) == 0


async def _sell_a_unit_twice(sold: Sold) -> None:
    alice, bob = sold.orders
    await sold.mongo["orders"].drop_indexes()
    await sold.mongo["orders"].update_one({"_id": bob.id}, {"$push": {"units": alice.units[0]}})


async def _sell_a_nonexistent_unit(sold: Sold) -> None:
    bob = sold.orders[1]
    unit = f"{sold.concert.tiers[2].id}:999"
    await sold.mongo["orders"].update_one({"_id": bob.id}, {"$set": {"units.0": unit}})


async def _sell_more_than_there_is(sold: Sold) -> None:
    bob, tier = sold.orders[1], sold.concert.tiers[2]
    units = [f"{tier.id}:{number}" for number in range(1, tier.capacity + 2)]
    await sold.mongo["orders"].update_one({"_id": bob.id}, {"$set": {"units": units}})


async def _forget_an_order_in_redis(sold: Sold) -> None:
    record = json.loads(await sold.redis.execute_command("HGET", sold.key("holds"), sold.orders[0].id))
    text = json.dumps(record | {"state": "ENDED"})
    await sold.redis.execute_command("HSET", sold.key("holds"), sold.orders[0].id, text)


async def _lose_a_free_unit(sold: Sold) -> None:
    await sold.redis.execute_command("ZREM", sold.key("free"), f"{sold.concert.tiers[0].id}:2")


async def _free_a_sold_unit(sold: Sold) -> None:
    await sold.redis.execute_command("ZADD", sold.key("free"), 0, sold.orders[1].units[0])


async def _miscount_what_is_held(sold: Sold) -> None:
    await sold.redis.execute_command("HINCRBY", sold.key("tiers"), f"{sold.concert.tiers[0].id}|held", 1)


async def _record_a_unit_without_an_order(sold: Sold) -> None:
    unit = f"{sold.concert.tiers[1].id}:5"
    await sold.redis.execute_command("HSET", sold.key("units"), unit, "=no-order")


async def _give_a_person_too_many(sold: Sold) -> None:
    await sold.mongo["concerts"].update_one({"_id": sold.concert.id}, {"$set": {"limitPerPerson": 2}})


async def _give_an_order_too_many(sold: Sold) -> None:
    await sold.mongo["concerts"].update_one({"_id": sold.concert.id}, {"$set": {"limitPerOrder": 2}})


async def _miscount_a_person(sold: Sold) -> None:
    text = json.dumps({"held": 0, "owned": 1, "holds": []})
    await sold.redis.execute_command("HSET", sold.key("people"), "alice", text)


async def _lose_an_order(sold: Sold) -> None:
    await sold.mongo["orders"].delete_one({"_id": sold.orders[0].id})


async def _change_an_order(sold: Sold) -> None:
    await sold.mongo["orders"].update_one({"_id": sold.orders[0].id}, {"$set": {"customer.email": "x@example.com"}})


async def _exchange_units_of_tiers(sold: Sold) -> None:
    alice = sold.orders[0]
    await sold.mongo["orders"].update_one({"_id": alice.id}, {"$set": {"lines.1.quantity": 1, "lines.0.quantity": 2}})


async def _leave_a_hold(sold: Sold) -> None:
    record = json.dumps({"state": "HELD"})
    await sold.redis.execute_command("HSET", sold.key("holds"), "abandoned", record)


FALSIFICATIONS: list[tuple[Callable[[Sold], Awaitable[None]], dict[str, str]]] = [
    (_sell_a_unit_twice, {"unit in one order": "is in order"}),
    (_sell_a_nonexistent_unit, {"sold within capacity": ":999, which does not exist"}),
    (_sell_more_than_there_is, {"sold within capacity": "has 15 units recorded of 14"}),
    (_forget_an_order_in_redis, {"stores agree": "is ENDED in Redis, not SOLD"}),
    (_lose_a_free_unit, {"stock adds up": "are not 6"}),
    (_free_a_sold_unit, {"stock adds up": "is free and belongs to ="}),
    (_miscount_what_is_held, {"stock adds up": "the counters say"}),
    (_record_a_unit_without_an_order, {"stores agree": "is in no order in MongoDB and =no-order in Redis"}),
    (_give_a_person_too_many, {"limits kept": "person alice has 3 units, above 2 a person"}),
    (_give_an_order_too_many, {"limits kept": "has 3 units, above 2 an order"}),
    (_miscount_a_person, {"limits kept": "Redis counted Account(held=0, owned=1)"}),
    (_lose_an_order, {"answered orders stand": "is not recorded"}),
    (_change_an_order, {"answered orders stand": "x@example.com"}),
    (_exchange_units_of_tiers, {"answered orders stand": "for lines"}),
    (_leave_a_hold, {"nothing left over": "hold abandoned is still HELD"}),
]


@pytest.mark.parametrize(("falsify", "expected"), FALSIFICATIONS, ids=lambda case: getattr(case, "__name__", ""))
async def test_false_record_is_found(
    sold: Sold, falsify: Callable[[Sold], Awaitable[None]], expected: dict[str, str]
) -> None:
    await falsify(sold)
    broken = await sold.broken()
    for invariant, words in expected.items():
        assert any(words in row for row in broken[invariant]), broken


@pytest.mark.parametrize(
    "falsify",
    [
        _sell_a_unit_twice,
        _sell_a_nonexistent_unit,
        _forget_an_order_in_redis,
        _lose_a_free_unit,
        _free_a_sold_unit,
        _miscount_what_is_held,
        _record_a_unit_without_an_order,
        _miscount_a_person,
        _lose_an_order,
    ],
)
async def test_false_record_violates_the_room_proof(sold: Sold, falsify: Callable[[Sold], Awaitable[None]]) -> None:
    assert await find_violations(sold.stores, sold.concert) == []
    await falsify(sold)
    assert await find_violations(sold.stores, sold.concert) != []


@pytest.mark.parametrize("falsify", [_sell_a_unit_twice, _sell_a_nonexistent_unit])
async def test_oversold_units_are_counted(sold: Sold, falsify: Callable[[Sold], Awaitable[None]]) -> None:
    await falsify(sold)
    assert oversold_units(await read_store_dump(sold.redis, sold.mongo, sold.concert.id)) == 1


async def test_order_without_an_answer_is_found(sold: Sold) -> None:
    answered = {order_id: receipt for order_id, receipt in sold.receipts.items() if receipt.buyer == "alice"}
    broken = await sold.broken(answered)
    assert broken == {
        "answered orders stand": (f"order {sold.orders[1].id} of bob@example.com is recorded and was in no answer",)
    }


async def test_order_answered_with_another_total_is_found(sold: Sold) -> None:
    answered = {order_id: replace(receipt, total_minor=1) for order_id, receipt in sold.receipts.items()}
    broken = await sold.broken(answered)
    assert [len(rows) for rows in broken.values()] == [2]
