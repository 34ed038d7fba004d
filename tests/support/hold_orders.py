"""Creates orders directly from holds, for cases that a purchase cannot produce."""

from dataclasses import replace
from datetime import UTC, datetime

from domain.concerts import Concert
from domain.holds import Hold
from domain.ids import OrderId
from domain.orders import Order, OrderEvent, OrderStatus
from tests.support.sale import CUSTOMER


def order_of(concert: Concert, hold: Hold, **changes: object) -> Order:
    """Return the order that buying this hold would insert; `changes` replaces fields."""
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    order = Order(
        id=OrderId(hold.id),
        concert_id=concert.id,
        person_id=hold.person_id,
        status=OrderStatus.PAID,
        units=hold.units,
        released_units=(),
        lines=hold.lines,
        currency=concert.currency,
        customer=CUSTOMER,
        version=1,
        events=(OrderEvent("PAID", now),),
        created_at=now,
        hold_digest=hold.digest,
        pass_entry_id=hold.pass_entry_id,
    )
    return replace(order, **changes)  # type: ignore[arg-type]
