"""Compares the bank's ledger with the orders, and the orders with the stock in Redis."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.ids import OrderId
from domain.orders import Order, OrderStatus
from domain.payments.balances import price_of
from domain.payments.status import goodwill_minor
from proofs.payments.bank import LedgerEntry
from proofs.sale.records.invariants import (
    Verdict,
    nothing_left_over,
    sold_within_capacity,
    stock_adds_up,
    stores_agree,
    unit_in_one_order,
)
from proofs.sale.records.store_dump import StoreDump

PAID_STATUSES = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED})
OPEN = frozenset({OrderStatus.PENDING_PAYMENT, OrderStatus.LATE_PAYMENT, OrderStatus.REFUND_PENDING})
STOCK_CHECKS = (unit_in_one_order, sold_within_capacity, stock_adds_up, stores_agree, nothing_left_over)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The sums of the equation that must hold, in minor units."""

    charged: int
    refunded: int
    lost: int
    """Money that the bank has taken back after a dispute."""
    owned: int
    """The price of the tickets that people own."""
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
        owned=sum(owned_minor(order) for order in orders),
        pending=sum(kept_minor(entries, order.id) for order in orders if order.status is OrderStatus.REFUND_PENDING),
        goodwill=sum(goodwill_minor(order) for order in orders if order.status in PAID_STATUSES),
    )


def owned_minor(order: Order) -> int:
    """Return the price of the tickets that the order still has, 0 if it has ended."""
    if order.status not in PAID_STATUSES or order.payment is None:
        return 0
    return price_of(order, order.units)


def kept_minor(entries: Sequence[LedgerEntry], order_id: OrderId) -> int:
    return sum(entry.amount_minor for entry in entries if entry.order_id == order_id)


def judge(dump: StoreDump, entries: Sequence[LedgerEntry]) -> tuple[Verdict, ...]:
    kept: Counter[str] = Counter()
    for entry in entries:
        kept[entry.order_id] += entry.amount_minor
    money = (
        Verdict("the bank has kept what paid orders cost", tuple(_money(dump.orders, kept))),
        Verdict("no money without an order", tuple(_unknown(dump.orders, kept))),
        Verdict("no order is stuck", tuple(_stuck(dump.orders))),
        Verdict("units are those of the lines", tuple(_units(dump.orders))),
    )
    stock = (Verdict(check.__name__.replace("_", " "), tuple(check(dump, {}))) for check in STOCK_CHECKS)
    return (*money, *stock)


def _money(orders: Sequence[Order], kept: Counter[str]) -> Iterator[str]:
    for order in orders:
        if order.status is OrderStatus.REFUND_PENDING:
            continue
        goodwill = goodwill_minor(order) if order.status in PAID_STATUSES else 0
        due = owned_minor(order) - goodwill
        if kept[order.id] != due:
            yield f"order {order.id} is {order.status}: the bank has kept {kept[order.id]}, and {due} is due"


def _unknown(orders: Sequence[Order], kept: Counter[str]) -> Iterator[str]:
    known = {order.id for order in orders}
    for order_id, minor in kept.items():
        if minor and order_id not in known:
            yield f"the bank has kept {minor} for order {order_id or '(none)'}, which does not exist"


def _stuck(orders: Sequence[Order]) -> Iterator[str]:
    for order in orders:
        if order.status in OPEN:
            yield f"order {order.id} is still {order.status}"


def _units(orders: Sequence[Order]) -> Iterator[str]:
    for order in orders:
        bought = sum(line.quantity for line in order.lines)
        returned = len(_returned(order))
        if order.status in PAID_STATUSES and len(order.units) + returned != bought:
            yield f"order {order.id} has {len(order.units)} units, and {returned} of {bought} were returned"


def _returned(order: Order) -> set[str]:
    """Return the units of refunds that have given them back."""
    refunds = order.payment.refunds if order.payment else ()
    return {unit for refund in refunds for unit in refund.units if unit not in order.units}
