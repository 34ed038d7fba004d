"""The invariants of a sale, which must hold after any kill.

Each check yields the rows that violate it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.clients.ledger import Receipt, TicketLine
from domain.holds import units_per_tier
from domain.ids import OrderId, PersonId, TierId, Unit, tier_of
from domain.orders import Order
from proofs.sale.records.store_dump import StoreDump
from schema import ids

Receipts = Mapping[str, Receipt]
"""The receipts that buyers received, by the global id of the order."""


def unit_in_one_order(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """MongoDB: every unit is in at most one active order."""
    owners: dict[Unit, OrderId] = {}
    for order in dump.orders:
        for unit in order.units:
            if unit in owners:
                yield f"unit {unit} is in order {owners[unit]} and in order {order.id}"
            owners[unit] = order.id


def sold_within_capacity(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """MongoDB: no tier has more units in orders than exist, and each of these units exists."""
    recorded = _recorded(dump.orders)
    for tier in dump.concert.tiers:
        if recorded[tier.id] > tier.top:
            yield f"tier {tier.id} has {recorded[tier.id]} units recorded of {tier.top}"
    tops = {tier.id: tier.top for tier in dump.concert.tiers}
    for order in dump.orders:
        for unit in order.units:
            if not 1 <= _number(unit) <= tops.get(tier_of(unit), 0):
                yield f"order {order.id} has unit {unit}, which does not exist"


def stock_adds_up(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """Redis: capacity = available + held + sold, for both the counters and the unit records."""
    held = Counter(tier_of(unit) for unit, owner in dump.owners.items() if not owner.startswith("="))
    taken = Counter(tier_of(unit) for unit in dump.owners)
    free = Counter(tier_of(unit) for unit in dump.free)
    for tier in dump.concert.tiers:
        counted = dump.tiers[tier.id]
        available = free[tier.id] + counted.top - counted.next + 1
        recorded = taken[tier.id] - held[tier.id]
        if available + held[tier.id] + recorded != tier.top:
            parts = f"{available} free + {held[tier.id]} held + {recorded} recorded"
            yield f"tier {tier.id}: {parts} do not add up to {tier.top}"
        if (held[tier.id], recorded) != (counted.held, counted.sold + counted.withdrawn):
            yield f"tier {tier.id}: {held[tier.id]} units held and {recorded} recorded, but the counters say {counted}"
    for unit in dump.free:
        if unit in dump.owners:
            yield f"unit {unit} is free and belongs to {dump.owners[unit]}"


def stores_agree(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """Every active order is SOLD in Redis with the same units, and Redis has no other orders."""
    recorded = {unit: f"={order.id}" for order in dump.orders for unit in order.units}
    known = {unit: owner for unit, owner in dump.owners.items() if owner.startswith("=")}
    for unit in sorted(recorded.keys() | known.keys()):
        if recorded.get(unit) != known.get(unit):
            yield f"unit {unit} is {recorded.get(unit, 'in no order')} in MongoDB and {known.get(unit, 'not')} in Redis"
    for order in dump.orders:
        if order.units and dump.hold_states.get(order.id) != "SOLD":
            yield f"order {order.id} is {dump.hold_states.get(order.id, 'unknown')} in Redis, not SOLD"


def limits_kept(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """MongoDB: no one exceeds the limits per order or per person. Redis has the same counts."""
    owned: Counter[PersonId] = Counter()
    for order in dump.sold_orders:
        owned[order.person_id] += len(order.units)
        if len(order.units) > dump.concert.terms.limit_per_order:
            yield f"order {order.id} has {len(order.units)} units, above {dump.concert.terms.limit_per_order} per order"
    for person, units in owned.items():
        if units > dump.concert.terms.limit_per_person:
            yield f"person {person} has {units} units, above {dump.concert.terms.limit_per_person} per person"
        account = dump.people.get(person)
        if account is None or account.owned != units:
            yield f"person {person} has {units} units; Redis counted {account}"


def receipts_match_orders(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """MongoDB has exactly the orders that buyers received in answers, with the same contents."""
    orders = {str(ids.of_order(order.id)): order for order in dump.sold_orders}
    for order_id in receipts.keys() - orders.keys():
        yield f"{receipts[order_id]} is not recorded"
    for order_id, order in orders.items():
        receipt = receipts.get(order_id)
        if receipt is None:
            yield f"order {order.id} of {order.customer.email} is recorded but was in no answer"
        elif receipt != _receipt_of(order, receipt.buyer):
            yield f"{receipt} was the answer, but {_receipt_of(order, receipt.buyer)} is recorded"
        if units_per_tier(order.units) != _requested(order):
            yield f"order {order.id} has units {order.units} for lines {order.lines}"


def bank_agrees(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """The bank has taken exactly the price of every paid order, and keeps nothing else."""
    kept = {order_id: minor for order_id, minor in dump.bank_minor.items() if minor}
    owed = {order.id: order.total.minor for order in dump.sold_orders if order.payment is not None}
    for order_id in sorted(kept.keys() | owed.keys()):
        if kept.get(order_id, 0) != owed.get(order_id, 0):
            yield f"order {order_id} costs {owed.get(order_id, 0)}, but the bank has kept {kept.get(order_id, 0)}"


def nothing_left_over(dump: StoreDump, receipts: Receipts) -> Iterator[str]:
    """Redis: every hold has ended or become an order."""
    for id_, state in dump.hold_states.items():
        if state in ("HELD", "BUYING"):
            yield f"hold {id_} is still {state}"


CHECKS: tuple[Callable[[StoreDump, Receipts], Iterable[str]], ...] = (
    unit_in_one_order,
    sold_within_capacity,
    stock_adds_up,
    stores_agree,
    limits_kept,
    receipts_match_orders,
    bank_agrees,
    nothing_left_over,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    invariant: str
    offending: tuple[str, ...]


def judge(dump: StoreDump, receipts: Receipts) -> tuple[Verdict, ...]:
    return tuple(Verdict(check.__name__.replace("_", " "), tuple(check(dump, receipts))) for check in CHECKS)


def oversold_units(dump: StoreDump) -> int:
    """Return how many units were oversold.

    A unit that was sold twice counts as one oversold unit, as does a unit that does not exist.
    """
    sold = [unit for order in dump.sold_orders for unit in order.units]
    tops = {tier.id: tier.top for tier in dump.concert.tiers}
    return len(sold) - len({unit for unit in sold if 1 <= _number(unit) <= tops.get(tier_of(unit), 0)})


def _recorded(orders: Iterable[Order]) -> Counter[TierId]:
    return Counter(tier_of(unit) for order in orders for unit in order.units)


def _number(unit: Unit) -> int:
    return int(unit.rpartition(":")[2])


def _receipt_of(order: Order, buyer: str) -> Receipt:
    lines = tuple(TicketLine(str(ids.of_tier(line.tier_id)), line.quantity) for line in order.lines)
    return Receipt(str(ids.of_order(order.id)), buyer, order.customer.email, lines, order.total.minor)


def _requested(order: Order) -> Counter[TierId]:
    requested: Counter[TierId] = Counter()
    for line in order.lines:
        requested[line.tier_id] += line.quantity
    return requested
