"""Concerts (what is sold, when, at what prices and within what limits), and the drafts and changes
that organizers submit.

MongoDB is the source of truth for every field. `version` increases with each change, `epoch` with
each recovery of the hot state. `Tier.top` is the highest unit number ever put on sale; it never
decreases: top = capacity + withdrawn + to_withdraw.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.ids import ConcertId, PersonId, TierId
from domain.money import CurrencyCode
from domain.queues import NO_ROOM, RoomSettings
from domain.room_changes import RoomSettingsPatch


class ConcertStatus(StrEnum):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    """It does not take place. Every order is refunded."""


NEXT_STATUS = {
    ConcertStatus.DRAFT: frozenset({ConcertStatus.PUBLISHED}),
    ConcertStatus.PUBLISHED: frozenset({ConcertStatus.CLOSED, ConcertStatus.CANCELLED}),
    ConcertStatus.CLOSED: frozenset({ConcertStatus.CANCELLED}),
    ConcertStatus.CANCELLED: frozenset[ConcertStatus](),
}
"""Maps each status to the statuses that may follow it."""


@dataclass(frozen=True, slots=True)
class Venue:
    name: str
    city: str
    country: str
    """ISO 3166-1 alpha-2."""


@dataclass(frozen=True, slots=True)
class Tier:
    id: TierId
    name: str
    price_minor: int
    capacity: int
    """The number of units that the organizer wants on sale. Held and sold units never exceed it."""
    top: int
    to_withdraw: int = 0
    """Units above the capacity that the house account has not bought yet. A negative value counts
    units that it has not returned yet after the capacity was raised.
    """

    @property
    def on_sale(self) -> int:
        return self.capacity + min(self.to_withdraw, 0)

    @property
    def capacity_target(self) -> int | None:
        """Return the target capacity of a change in progress, or None."""
        return self.capacity if self.to_withdraw else None


DEFAULT_PAYMENT_MS = 600_000
"""Ten minutes: enough to find a card and confirm the payment in a banking app, twice."""


@dataclass(frozen=True, slots=True)
class ConcertTerms:
    """Terms that an organizer may change later: program, venue, sale times and limits."""

    name: str
    venue: Venue
    description: str
    starts_at: datetime
    sales_start_at: datetime
    sales_end_at: datetime
    limit_per_order: int
    limit_per_person: int
    hold_duration_ms: int
    payment_duration_ms: int = DEFAULT_PAYMENT_MS
    """The time to pay an order. An order keeps the deadline that it began with."""
    refunds_until: datetime | None = None
    """Until then, buyers may return their orders themselves; None means never."""


@dataclass(frozen=True, slots=True)
class Concert:
    id: ConcertId
    slug: str
    terms: ConcertTerms
    currency: CurrencyCode
    tiers: tuple[Tier, ...]
    status: ConcertStatus
    version: int
    epoch: int
    created_by: PersonId
    created_at: datetime
    organizer_id: PersonId
    """The organizer who owns the concert: its creator, unless an admin has given it to another."""
    gate_people: tuple[PersonId, ...] = ()
    """The people who may check tickets at this concert."""
    room: RoomSettings = NO_ROOM

    @property
    def room_opens_at(self) -> datetime:
        """Return when the waiting room starts calling people."""
        return self.room.opens_at or self.terms.sales_start_at

    def tier(self, tier_id: TierId) -> Tier | None:
        return next((tier for tier in self.tiers if tier.id == tier_id), None)


@dataclass(frozen=True, slots=True)
class TierDraft:
    name: str
    price_minor: int
    capacity: int


@dataclass(frozen=True, slots=True)
class ConcertDraft:
    """A concert that has no ids yet. If `slug` is None, the slug is derived from the name."""

    terms: ConcertTerms
    currency: CurrencyCode
    tiers: tuple[TierDraft, ...]
    slug: str | None = None
    room: RoomSettings = NO_ROOM


@dataclass(frozen=True, slots=True)
class TierChange:
    """A change to one tier. A field that is None is left unchanged."""

    id: TierId
    name: str | None = None
    price_minor: int | None = None
    capacity: int | None = None

    def apply_to(self, tier: Tier) -> Tier:
        return replace(
            tier,
            name=tier.name if self.name is None else self.name,
            price_minor=tier.price_minor if self.price_minor is None else self.price_minor,
            capacity=tier.capacity if self.capacity is None else self.capacity,
        )


@dataclass(frozen=True, slots=True)
class ConcertChange:
    """An organizer's change to a concert. A field that is None is left unchanged. Currency and slug
    never change.
    """

    name: str | None = None
    venue: Venue | None = None
    description: str | None = None
    starts_at: datetime | None = None
    sales_start_at: datetime | None = None
    sales_end_at: datetime | None = None
    limit_per_order: int | None = None
    limit_per_person: int | None = None
    hold_duration_ms: int | None = None
    payment_duration_ms: int | None = None
    refunds_until: datetime | None = None
    room: RoomSettingsPatch | None = None
    tiers: tuple[TierChange, ...] = ()
    new_tiers: tuple[TierDraft, ...] = ()
    gate_people: tuple[PersonId, ...] | None = None

    def apply_to(self, terms: ConcertTerms) -> ConcertTerms:
        return ConcertTerms(
            name=terms.name if self.name is None else self.name,
            venue=terms.venue if self.venue is None else self.venue,
            description=terms.description if self.description is None else self.description,
            starts_at=terms.starts_at if self.starts_at is None else self.starts_at,
            sales_start_at=terms.sales_start_at if self.sales_start_at is None else self.sales_start_at,
            sales_end_at=terms.sales_end_at if self.sales_end_at is None else self.sales_end_at,
            limit_per_order=terms.limit_per_order if self.limit_per_order is None else self.limit_per_order,
            limit_per_person=terms.limit_per_person if self.limit_per_person is None else self.limit_per_person,
            hold_duration_ms=terms.hold_duration_ms if self.hold_duration_ms is None else self.hold_duration_ms,
            payment_duration_ms=(
                terms.payment_duration_ms if self.payment_duration_ms is None else self.payment_duration_ms
            ),
            refunds_until=terms.refunds_until if self.refunds_until is None else self.refunds_until,
        )


@dataclass(frozen=True, slots=True)
class ConcertFilter:
    """Conditions for a list of concerts. A concert must meet all of them.

    If `statuses` is None, all statuses that the viewer may see match.
    """

    statuses: tuple[ConcertStatus, ...] | None = None
    search: str | None = None
    city: str | None = None
    on_sale_at: datetime | None = None
    """Matches published concerts whose sale window includes this time."""
    drafts_of: PersonId | None = None
    """If given, the drafts of other organizers do not match."""
