"""A concert: what is sold, when, at which prices and limits; and the words an organiser gives to make or change one.

MongoDB owns every field; `version` rises with each change, `epoch` with each recovery of the hot state.
`Tier.top` is the highest unit number ever on sale: capacity = top - withdrawn, and top never falls.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import ConcertId, PersonId, TierId
from domain.money import CurrencyCode
from domain.queues import NO_ROOM, RoomSettings


class ConcertStatus(StrEnum):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    CLOSED = "CLOSED"


NEXT_STATUS = {
    ConcertStatus.DRAFT: frozenset({ConcertStatus.PUBLISHED}),
    ConcertStatus.PUBLISHED: frozenset({ConcertStatus.CLOSED}),
    ConcertStatus.CLOSED: frozenset[ConcertStatus](),
}
"""Where a concert may go from each status."""


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
    top: int


@dataclass(frozen=True, slots=True)
class Concert:
    id: ConcertId
    slug: str
    name: str
    venue: Venue
    description: str
    starts_at: datetime
    sales_start_at: datetime
    sales_end_at: datetime
    currency: CurrencyCode
    limit_per_order: int
    limit_per_person: int
    hold_duration_ms: int
    tiers: tuple[Tier, ...]
    status: ConcertStatus
    version: int
    epoch: int
    created_by: PersonId
    created_at: datetime
    room: RoomSettings = NO_ROOM

    @property
    def room_opens_at(self) -> datetime:
        """When the waiting room calls people from."""
        return self.room.opens_at or self.sales_start_at

    def tier(self, tier_id: TierId) -> Tier | None:
        return next((tier for tier in self.tiers if tier.id == tier_id), None)


@dataclass(frozen=True, slots=True)
class TierDraft:
    name: str
    price_minor: int
    capacity: int


@dataclass(frozen=True, slots=True)
class ConcertDraft:
    """A concert as an organiser words it, before it has ids. Slug None: made from the name."""

    name: str
    venue: Venue
    description: str
    starts_at: datetime
    sales_start_at: datetime
    sales_end_at: datetime
    currency: CurrencyCode
    limit_per_order: int
    limit_per_person: int
    hold_duration_ms: int
    tiers: tuple[TierDraft, ...]
    slug: str | None = None
    room: RoomSettings = NO_ROOM


@dataclass(frozen=True, slots=True)
class TierChange:
    """None leaves a field as it is."""

    id: TierId
    name: str | None = None
    price_minor: int | None = None
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class ConcertChange:
    """What an organiser changes; None leaves a field as it is. Currency and slug stay for ever."""

    name: str | None = None
    venue: Venue | None = None
    description: str | None = None
    starts_at: datetime | None = None
    sales_start_at: datetime | None = None
    sales_end_at: datetime | None = None
    limit_per_order: int | None = None
    limit_per_person: int | None = None
    hold_duration_ms: int | None = None
    room: RoomSettings | None = None
    tiers: tuple[TierChange, ...] = ()
    new_tiers: tuple[TierDraft, ...] = ()


@dataclass(frozen=True, slots=True)
class ConcertFilter:
    """Every field given must match. `statuses` empty: whatever the viewer may see."""

    statuses: tuple[ConcertStatus, ...] = ()
    search: str | None = None
    city: str | None = None
    on_sale_at: datetime | None = None
    """Published, and inside its sale window at this time."""
