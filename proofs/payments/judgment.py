"""Compares the bank's ledger with the orders, and the orders with the stock in Redis.

All sums are for one concert, and therefore in one currency.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.orders import Order, OrderStatus
from domain.payments.balances import kept_minor, price_of
from domain.payments.facts import FactState
from domain.payments.payment import Refund
from domain.payments.status import goodwill_minor, is_dispute_lost, outstanding_refunds, refund_fact
from proofs.payments.bank import LedgerEntry
from proofs.payments.ticket_judgment import one_valid_code_per_living_ticket
from proofs.sale.records.invariants import (
    Verdict,
    nothing_left_over,
    sold_within_capacity,
    stock_adds_up,
    stores_agree,
    unit_in_one_order,
)
from proofs.sale.records.store_dump import StoreDump
from schema import ids

LIVING = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.REFUND_PENDING})
OPEN = frozenset({OrderStatus.PENDING_PAYMENT, OrderStatus.LATE_PAYMENT})
STOCK_CHECKS = (unit_in_one_order, sold_within_capacity, stock_adds_up, stores_agree, nothing_left_over)

AnsweredOrders = Mapping[str, set[str]]
"""The global ids of the orders that each person was told about, by the person's name."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The sums of the equation that must hold, in minor units."""

    charged: int
    refunded: int
    lost: int
    """Money that the bank has taken back after a dispute."""
    owned: int
    """The price of the tickets that people own and have not returned."""
    pending: int
    """Money that is still to be refunded."""
    goodwill: int

    @property
    def is_balanced(self) -> bool:
        return self.charged - self.refunded - self.lost == self.owned + self.pending - self.goodwill


def make_accounts(entries: Sequence[LedgerEntry], orders: Sequence[Order]) -> Accounts:
    kinds: Counter[str] = Counter()
    for entry in entries:
        kinds[entry.kind] += entry.amount_minor
    return Accounts(
        charged=kinds["charge"],
        refunded=-kinds["refund"] - kinds["refund_failure"],
        lost=-kinds["dispute_opened"] - kinds["dispute_won"] - kinds["dispute_lost"],
        owned=sum(map(owned_minor, orders)),
        pending=sum(map(pending_minor, orders)),
        goodwill=sum(map(absorbed_minor, orders)),
    )


def owned_minor(order: Order) -> int:
    """Return the price of the tickets of an order that are not about to be refunded."""
    if order.status not in LIVING or order.payment is None:
        return 0
    leaving = {unit for refund in outstanding_refunds(order) for unit in refund.units}
    return price_of(order, [unit for unit in order.units if unit not in leaving])


def pending_minor(order: Order) -> int:
    """Return the money that we have decided to refund and that the bank still has. A lost dispute
    may leave less than that.
    """
    pending = outstanding_refunds(order)
    decided = sum(refund.amount_minor for refund in pending)
    if not is_dispute_lost(order):
        return decided
    kept = sum(
        kept_minor(order, intent_id) for intent_id in {refund.intent_id for refund in pending if refund.intent_id}
    )
    return min(decided, kept)


def absorbed_minor(order: Order) -> int:
    """Return the money returned as goodwill while the order kept its tickets."""
    return goodwill_minor(order) if owned_minor(order) else 0


def has_failed(order: Order) -> bool:
    """Return whether the order waits only for refunds that have failed before because the card
    accepts no money. They are repeated for as long as necessary.
    """
    outstanding = outstanding_refunds(order)
    return bool(outstanding) and all(_has_failed(order, refund) for refund in outstanding)


def _has_failed(order: Order, refund: Refund) -> bool:
    assert order.payment is not None
    by_number = {refund.number: refund for refund in order.payment.refunds}
    tried: Refund | None = refund
    while tried is not None:
        fact = refund_fact(order, tried)
        if fact is not None and fact.state is FactState.FAILED:
            return True
        tried = by_number.get(tried.replaces or 0)
    return False


def judge(dump: StoreDump, entries: Sequence[LedgerEntry], answered: AnsweredOrders) -> tuple[Verdict, ...]:
    kept: Counter[str] = Counter()
    for entry in entries:
        kept[entry.order_id] += entry.amount_minor
    return (
        Verdict("the bank has kept the price of each order", tuple(_money(dump.orders, kept))),
        Verdict("no money without an order", tuple(_unknown(dump.orders, kept))),
        Verdict("every currency is the concert's", tuple(_currencies(dump, entries))),
        Verdict("no order is stuck", tuple(_stuck(dump.orders))),
        Verdict("every answered order is recorded", tuple(_lost(dump.orders, answered))),
        Verdict("no purchase led to two orders", tuple(_doubled(answered))),
        Verdict("units match the lines", tuple(_units(dump.orders))),
        *(Verdict(check.__name__.replace("_", " "), tuple(check(dump, {}))) for check in STOCK_CHECKS),
        Verdict("one accepted code per valid ticket", tuple(one_valid_code_per_living_ticket(dump.orders))),
    )


def _money(orders: Sequence[Order], kept: Counter[str]) -> Iterator[str]:
    for order in orders:
        due = owned_minor(order) + pending_minor(order) - absorbed_minor(order)
        if kept[order.id] != due:
            yield f"order {order.id} is {order.status}: the bank has kept {kept[order.id]}, but {due} is due"


def _unknown(orders: Sequence[Order], kept: Counter[str]) -> Iterator[str]:
    known = {order.id for order in orders}
    for order_id, minor in kept.items():
        if minor and order_id not in known:
            yield f"the bank has kept {minor} for order {order_id or '(none)'}, which does not exist"


def _currencies(dump: StoreDump, entries: Sequence[LedgerEntry]) -> Iterator[str]:
    for entry in entries:
        if entry.currency is not dump.concert.currency:
            yield f"order {entry.order_id} was charged in {entry.currency}, not in {dump.concert.currency}"


def _stuck(orders: Sequence[Order]) -> Iterator[str]:
    for order in orders:
        if order.status in OPEN or (outstanding_refunds(order) and pending_minor(order) and not has_failed(order)):
            yield f"order {order.id} is still {order.status}, and work is due at {order.work_at}"


def _lost(orders: Sequence[Order], answered: AnsweredOrders) -> Iterator[str]:
    known = {str(ids.of_order(order.id)) for order in orders}
    for name, order_ids in answered.items():
        yield from (f"{name} was told of order {id_}, which does not exist" for id_ in order_ids - known)


def _doubled(answered: AnsweredOrders) -> Iterator[str]:
    for name, order_ids in answered.items():
        if len(order_ids) > 1:
            yield f"{name} bought once and was told of the orders {', '.join(sorted(order_ids))}"


def _units(orders: Sequence[Order]) -> Iterator[str]:
    for order in orders:
        bought = sum(line.quantity for line in order.lines)
        returned = len(_returned(order))
        has_none = order.status is OrderStatus.REFUND_PENDING and not order.units
        if order.status in LIVING and not has_none and len(order.units) + returned != bought:
            yield f"order {order.id} has {len(order.units)} units, but {returned} of {bought} were returned"


def _returned(order: Order) -> set[str]:
    """Return the units that refunds have returned."""
    refunds = order.payment.refunds if order.payment else ()
    return {unit for refund in refunds for unit in refund.units if unit not in order.units}
