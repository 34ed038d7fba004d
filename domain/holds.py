"""A hold: units of stock taken out for one person until a deadline, at a fixed price."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import ConcertId, EntryId, HoldId, PersonId, TierId, Unit, tier_of


class HoldState(StrEnum):
    HELD = "HELD"
    BUYING = "BUYING"
    SOLD = "SOLD"
    ENDED = "ENDED"


NEXT_STATE = {
    HoldState.HELD: frozenset({HoldState.BUYING, HoldState.SOLD, HoldState.ENDED}),
    HoldState.BUYING: frozenset({HoldState.BUYING, HoldState.SOLD, HoldState.ENDED}),
    HoldState.SOLD: frozenset({HoldState.SOLD, HoldState.ENDED}),
    # An order found in MongoDB wins over whatever the store believed of its hold.
    HoldState.ENDED: frozenset({HoldState.SOLD}),
}
"""Where a hold may go from each state; SOLD to SOLD is an order that gave some of its units back."""


class EndReason(StrEnum):
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"
    """A purchase with lines was refused and gave its hold back."""
    UNITS_LOST = "UNITS_LOST"
    """Its units were recorded elsewhere while the store had forgotten, and there were no others left."""
    NOT_RECORDED = "NOT_RECORDED"
    """Its purchase was begun and no order came of it in time."""
    PASS_SPENT = "PASS_SPENT"
    """The pass it was taken under was spent on another order."""
    ORDER_ENDED = "ORDER_ENDED"
    """Its order gave back all of its units."""


@dataclass(frozen=True, slots=True)
class TicketLine:
    tier_id: TierId
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True)
class Hold:
    id: HoldId
    concert_id: ConcertId
    person_id: PersonId
    state: HoldState
    reason: EndReason | None
    units: tuple[Unit, ...]
    """Empty once ENDED."""
    lines: tuple[TicketLine, ...]
    """What was asked for, at the price of that moment; stays when the hold has ended."""
    created_at: datetime
    expires_at: datetime
    digest: str = ""
    """Of all that was asked for."""
    pass_entry_id: EntryId | None = None
    """The place whose pass it was made under."""

    @property
    def total_minor(self) -> int:
        return sum(line.quantity * line.unit_price_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class TicketRequest:
    tier_id: TierId
    quantity: int


def units_per_tier(units: tuple[Unit, ...]) -> Counter[TierId]:
    return Counter(tier_of(unit) for unit in units)
