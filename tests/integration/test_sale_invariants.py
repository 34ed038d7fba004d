"""Each invariant of a sale holds on real stores and is violated if one record is falsified."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio
from motor.motor_asyncio import AsyncIOMotorDatabase
from redis.asyncio import Redis

from auth.viewer import Role, Viewer
from bench.clients.catalog import free_concert
from bench.clients.ledger import Receipt, TicketLine
from domain.concerts import Concert
from domain.holds import TicketRequest
from domain.ids import OrderId, PersonId
from domain.orders import Customer, Order, OrderStatus
from domain.payments.transitions import awaiting_payment
from proofs.sale.records.invariants import bank_agrees, judge, oversold_units
from proofs.sale.records.store_dump import all_holds_ended, read_store_dump
from proofs.waiting_room.invariants import find_violations
from resolvers import concerts, holds, orders
from resolvers.context import Context
from schema import ids
from storage.connect import Stores
from tests.support.hot_keys import concert_key
from tests.support.sale import PASSES, opened

OLIVIA = Viewer(PersonId("olivia"), "olivia", None, frozenset({Role.ORGANIZER}))


@dataclass(frozen=True, slots=True)
class Sold:
    """A small sale: alice bought three tickets, bob bought two, and one hold was released."""

    stores: Stores
    redis: Redis
    mongo: "AsyncIOMotorDatabase[dict[str, Any]]"
    concert: Concert
    orders: tuple[Order, Order]
    receipts: Mapping[str, Receipt]
    bank_minor: dict[OrderId, int] = field(default_factory=dict)

    def key(self, kind: str) -> str:
        return concert_key(self.concert, kind)

    async def violations(self, receipts: Mapping[str, Receipt] | None = None) -> dict[str, tuple[str, ...]]:
        """Return the offending rows of each violated invariant."""
        dump = await read_store_dump(self.redis, self.mongo, self.concert.id, bank_minor=self.bank_minor)
        verdicts = judge(dump, self.receipts if receipts is None else receipts)
        return {verdict.invariant: verdict.offending for verdict in verdicts if verdict.offending}


@pytest_asyncio.fixture
async def sold(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Sold]:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as stores,
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
    draft = await concerts.create_concert(context, free_concert(30, datetime.now(UTC)))
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


async def test_unaltered_records_violate_no_invariant(sold: Sold) -> None:
    assert await sold.violations() == {}
    assert await all_holds_ended(sold.redis, sold.concert.id)
    assert oversold_units(await read_store_dump(sold.redis, sold.mongo, sold.concert.id, bank_minor={})) == 0


async def _set(sold: Sold, order: int, change: dict[str, Any]) -> None:
    await sold.mongo["orders"].drop_indexes()
    await sold.mongo["orders"].update_one({"_id": sold.orders[order].id}, change)


async def _limit(sold: Sold, name: str) -> None:
    await sold.mongo["concerts"].update_one({"_id": sold.concert.id}, {"$set": {name: 2}})


async def _write(sold: Sold, command: str, kind: str, *arguments: object) -> None:
    await sold.redis.execute_command(command, sold.key(kind), *arguments)


async def _end_hold(sold: Sold) -> None:
    hold = json.loads(await sold.redis.execute_command("HGET", sold.key("holds"), sold.orders[0].id))
    await _write(sold, "HSET", "holds", sold.orders[0].id, json.dumps(hold | {"state": "ENDED"}))


def _unit(sold: Sold, tier: int, number: int) -> str:
    return f"{sold.concert.tiers[tier].id}:{number}"


HELD = json.dumps({"state": "HELD"})
ACCOUNT = json.dumps({"held": 0, "owned": 1, "holds": []})
LINES = {"lines.1.quantity": 1, "lines.0.quantity": 2}
Falsify = Callable[[Sold], Awaitable[object]]
IN_BOTH_PROOFS: dict[str, tuple[Falsify, str, str]] = {
    "a unit sold twice": (
        lambda s: _set(s, 1, {"$push": {"units": s.orders[0].units[0]}}),
        "unit in one order",
        "is in order",
    ),
    "a nonexistent unit": (
        lambda s: _set(s, 1, {"$set": {"units.0": _unit(s, 2, 999)}}),
        "sold within capacity",
        ":999, which does not exist",
    ),
    "more units than exist": (
        lambda s: _set(s, 1, {"$set": {"units": [_unit(s, 2, n) for n in range(1, s.concert.tiers[2].capacity + 2)]}}),
        "sold within capacity",
        "has 15 units recorded of 14",
    ),
    "an order unknown to Redis": (_end_hold, "stores agree", "is ENDED in Redis, not SOLD"),
    "a lost free unit": (lambda s: _write(s, "ZREM", "free", _unit(s, 0, 2)), "stock adds up", "do not add up to 6"),
    "a sold unit in free stock": (
        lambda s: _write(s, "ZADD", "free", 0, s.orders[1].units[0]),
        "stock adds up",
        "is free and belongs to =",
    ),
    "a wrong counter": (
        lambda s: _write(s, "HINCRBY", "tiers", f"{s.concert.tiers[0].id}|held", 1),
        "stock adds up",
        "the counters say",
    ),
    "a unit without an order": (
        lambda s: _write(s, "HSET", "units", _unit(s, 1, 5), "=no-order"),
        "stores agree",
        "is in no order in MongoDB and =no-order in Redis",
    ),
    "a wrong account": (
        lambda s: _write(s, "HSET", "people", "alice", ACCOUNT),
        "limits kept",
        "Redis counted Account(held=0, owned=1)",
    ),
    "a lost order": (
        lambda s: s.mongo["orders"].delete_one({"_id": s.orders[0].id}),
        "receipts match orders",
        "is not recorded",
    ),
}
IN_THE_SALE: dict[str, tuple[Falsify, str, str]] = {
    "too many per person": (
        lambda s: _limit(s, "limitPerPerson"),
        "limits kept",
        "alice has 3 units, above 2",
    ),
    "too many per order": (lambda s: _limit(s, "limitPerOrder"), "limits kept", "has 3 units, above 2 per order"),
    "a changed order": (
        lambda s: _set(s, 0, {"$set": {"customer.email": "x@example.com"}}),
        "receipts match orders",
        "x@example.com",
    ),
    "units of the wrong tiers": (lambda s: _set(s, 0, {"$set": LINES}), "receipts match orders", "for lines"),
    "a hold that did not end": (
        lambda s: _write(s, "HSET", "holds", "abandoned", HELD),
        "nothing left over",
        "hold abandoned is still HELD",
    ),
}
FALSIFICATIONS = IN_BOTH_PROOFS | IN_THE_SALE


@pytest.mark.parametrize("name", FALSIFICATIONS)
async def test_falsified_record_is_found(sold: Sold, name: str) -> None:
    falsify, invariant, row = FALSIFICATIONS[name]
    await falsify(sold)
    violations = await sold.violations()
    assert any(row in offending for offending in violations[invariant]), violations


@pytest.mark.parametrize("name", IN_BOTH_PROOFS)
async def test_falsified_record_is_found_by_the_room_proof(sold: Sold, name: str) -> None:
    assert await find_violations(sold.stores, sold.concert) == []
    await IN_BOTH_PROOFS[name][0](sold)
    assert await find_violations(sold.stores, sold.concert) != []


@pytest.mark.parametrize("name", ["a unit sold twice", "a nonexistent unit"])
async def test_oversold_units_are_counted(sold: Sold, name: str) -> None:
    await IN_BOTH_PROOFS[name][0](sold)
    assert oversold_units(await read_store_dump(sold.redis, sold.mongo, sold.concert.id, bank_minor={})) == 1


async def test_recorded_order_missing_from_the_answers_is_found(sold: Sold) -> None:
    answered = {order_id: receipt for order_id, receipt in sold.receipts.items() if receipt.buyer == "alice"}
    violations = await sold.violations(answered)
    assert violations == {
        "receipts match orders": (f"order {sold.orders[1].id} of bob@example.com is recorded but was in no answer",)
    }


async def test_order_whose_total_differs_from_the_answer_is_found(sold: Sold) -> None:
    answered = {order_id: replace(receipt, total_minor=1) for order_id, receipt in sold.receipts.items()}
    violations = await sold.violations(answered)
    assert [len(rows) for rows in violations.values()] == [2]


async def test_money_kept_without_an_order_is_found(sold: Sold) -> None:
    sold.bank_minor[OrderId("unknown")] = 4_950
    assert await sold.violations() == {
        "bank agrees": ("order unknown costs 0, but the bank has kept 4950",),
    }


async def test_paid_order_without_money_at_the_bank_is_found(sold: Sold) -> None:
    order = replace(
        awaiting_payment(sold.orders[0], provider="sandbox", expires_at=sold.orders[0].created_at),
        status=OrderStatus.PAID,
        lines=tuple(replace(line, unit_price_minor=4_950) for line in sold.orders[0].lines),
    )
    dump = await read_store_dump(sold.redis, sold.mongo, sold.concert.id, bank_minor={})
    (row,) = bank_agrees(replace(dump, orders=(order,)), sold.receipts)
    assert row == f"order {order.id} costs {order.total.minor}, but the bank has kept 0"
