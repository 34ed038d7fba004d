"""The orders of a concert as CSV (RFC 4180), with a row for each order, and the record of who
exported them.

The file begins with a byte order mark, because Excel reads a file without one in the computer's
default encoding, which garbles names. Buyers choose their names themselves, so an apostrophe is put
before each text that a spreadsheet could run as a formula: at the start of a cell, and after a
character that some spreadsheets treat as its end, even between quotes. Where the comma is the
decimal separator, Excel splits lines at semicolons.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.concerts import Concert
from domain.ids import ConcertId, PersonId, TierId
from domain.money import Money
from domain.orders import Order
from domain.payments.refunds import refunded_minor

BYTE_ORDER_MARK = "\ufeff"
COLUMNS = (
    "number",
    "status",
    "created at",
    "name",
    "email",
    "tickets",
    "tiers",
    "total",
    "refunded",
    "currency",
)
_FORMULA = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
"""Some spreadsheets treat the full-width forms of = + - @ like the plain ones."""
_RUN_AS_FORMULA = re.compile(rf"^(?=\s*{_FORMULA}|[\t\r\n])|(?<=[;,|\t\r\n])(?=\s*{_FORMULA})")
"""Matches the places where an apostrophe is needed."""


@dataclass(frozen=True, slots=True)
class OrderExport:
    """The record of an export. It is written before the first row is sent."""

    id: str
    concert_id: ConcertId
    at: datetime
    person_id: PersonId
    person_name: str
    rows: int | None = None
    """The orders that were handed to the client. None while the export runs, or if its server died.
    """
    is_complete: bool = False


def head() -> str:
    return BYTE_ORDER_MARK + _lines([COLUMNS])


def rows(orders: Iterable[Order], concert: Concert) -> str:
    """Return a line for each order."""
    names = {tier.id: tier.name for tier in concert.tiers}
    return _lines(_row(order, names) for order in orders)


def _row(order: Order, names: Mapping[TierId, str]) -> tuple[str, ...]:
    tiers = "; ".join(f"{line.quantity} x {names.get(line.tier_id, line.tier_id)}" for line in order.lines)
    return (
        order.number,
        order.status.value,
        order.created_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        order.customer.name,
        order.customer.email,
        str(sum(line.quantity for line in order.lines)),
        tiers,
        f"{order.total.amount:f}",
        f"{Money(refunded_minor(order), order.currency).amount:f}",
        order.currency.value,
    )


def _lines(records: Iterable[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(
        [_defused(cell) for cell in record] for record in records
    )
    return buffer.getvalue()


def _defused(cell: str) -> str:
    return _RUN_AS_FORMULA.sub("'", cell)
