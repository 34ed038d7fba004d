"""A hold: units of stock reserved for one person until a deadline, at a fixed price."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    # An order found in MongoDB overrides the state of its hold in the hot store, and a late payment
    # can take units again.
    HoldState.ENDED: frozenset({HoldState.BUYING, HoldState.SOLD}),
}
"""Maps each state to the states that may follow it. SOLD follows SOLD when an order returns some of
its units.
"""


class EndReason(StrEnum):
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"
    """A purchase without a prior hold was refused, so the hold created for it was released."""
    UNITS_LOST = "UNITS_LOST"
    """Other people's orders for the units were recorded while the store had lost its state, and no
    other units were left.
    """
    NOT_RECORDED = "NOT_RECORDED"
    """The purchase began, but no order was recorded in time."""
    PASS_SPENT = "PASS_SPENT"
    """The hold's queue pass was spent on another order."""
    ORDER_ENDED = "ORDER_ENDED"
    """The order returned all of its units."""
    CONCERT_CANCELLED = "CONCERT_CANCELLED"


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
    """Empty once the hold has ENDED."""
    lines: tuple[TicketLine, ...]
    """The requested lines, with the prices at the time of the request; kept after the hold has
    ended.
    """
    created_ms: int
    expires_ms: int
    """Unix times, as the store keeps them. Few readers need `datetime` objects, which take longer
    to build than all other fields.
    """
    digest: str = ""
    """The fingerprint of the whole request."""
    pass_entry_id: EntryId | None = None
    """The entry whose pass was used to create the hold."""
    epoch: int = field(default=0, compare=False)
    version: int = field(default=0, compare=False)
    """The epoch and the version of the concert at which the hold was read. They are not compared,
    so a later read of the same hold is equal.
    """

    @property
    def created_at(self) -> datetime:
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires_ms / 1000, UTC)

    @property
    def total_minor(self) -> int:
        return sum(line.quantity * line.unit_price_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class TicketRequest:
    tier_id: TierId
    quantity: int


def units_per_tier(units: tuple[Unit, ...]) -> Counter[TierId]:
    return Counter(tier_of(unit) for unit in units)
