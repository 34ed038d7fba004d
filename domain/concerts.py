"""Concerts (what is sold, when, at what prices and within what limits), and the drafts and changes
that organizers submit.

MongoDB is the source of truth for every field. `version` increases with each change, `epoch` with
each recovery of the hot state. `Tier.top` is the highest unit number ever put on sale; it never
decreases: top = capacity + withdrawn + to_withdraw.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.catalog.details import NO_DETAILS, NO_DETAILS_PATCH, ConcertDetails, Coordinates, DetailsPatch, Genre
from domain.catalog.listing import PriceFilter
from domain.ids import ConcertId, PersonId, TierId, ordinal_of
from domain.images.image import ConcertImage, ImageChange
from domain.money import CurrencyCode
from domain.queues import NO_ROOM, RoomSettings
from domain.room_changes import RoomSettingsPatch
from domain.tiers.rules import NO_RULES, NO_RULES_PATCH, TierRules, TierRulesPatch


class ConcertStatus(StrEnum):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    """The concert does not take place, and every order is refunded."""


NEXT_STATUS = {
    ConcertStatus.DRAFT: frozenset({ConcertStatus.PUBLISHED}),
    ConcertStatus.PUBLISHED: frozenset({ConcertStatus.CLOSED, ConcertStatus.CANCELLED}),
    ConcertStatus.CLOSED: frozenset({ConcertStatus.CANCELLED}),
    ConcertStatus.CANCELLED: frozenset[ConcertStatus](),
}
"""Maps each status to the statuses that may follow it."""


UPCOMING_STATUSES = (ConcertStatus.PUBLISHED, ConcertStatus.DRAFT)
"""The statuses of a concert that is still to come, and whose sale is not over for good."""


@dataclass(frozen=True, slots=True)
class Venue:
    name: str
    city: str
    country: str
    """ISO 3166-1 alpha-2."""
    time_zone: str | None = None
    """An IANA name. None only in concerts that an earlier version of Onsale created."""
    address: str | None = None
    coordinates: Coordinates | None = None


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
    description: str = ""
    zone: str = ""
    """The part of the venue, such as a block or the standing area. Empty if there is none."""
    rules: TierRules = NO_RULES

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
    """The time to pay for an order. An order keeps its original deadline."""
    refunds_until: datetime | None = None
    """Buyers may refund their orders themselves until this time; None means never."""
    details: ConcertDetails = NO_DETAILS


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
    highest_ordinal: int = 0
    """No tier that was removed has a higher ordinal, so its id is not reused. Tiers in `tiers` may
    have higher ordinals.
    """
    image: ConcertImage | None = None
    recovered_in: str = ""
    """The incarnation of the stock store in which the concert was last recovered, if it is known.
    """

    @property
    def room_opens_at(self) -> datetime:
        """Return when the waiting room starts calling people."""
        return self.room.opens_at or self.terms.sales_start_at

    def tier(self, tier_id: TierId) -> Tier | None:
        return next((tier for tier in self.tiers if tier.id == tier_id), None)

    @property
    def next_ordinal(self) -> int:
        """Return the ordinal of the next new tier."""
        return max([self.highest_ordinal, *(ordinal_of(tier.id) for tier in self.tiers)]) + 1

    @property
    def public_tiers(self) -> tuple[Tier, ...]:
        """Return the tiers that are not hidden."""
        return tuple(tier for tier in self.tiers if not tier.rules.is_hidden)


@dataclass(frozen=True, slots=True)
class TierDraft:
    name: str
    price_minor: int
    capacity: int
    description: str = ""
    zone: str = ""
    rules: TierRules = NO_RULES

    def build(self, id_: TierId) -> Tier:
        return Tier(
            id_,
            self.name,
            self.price_minor,
            capacity=self.capacity,
            top=self.capacity,
            description=self.description,
            zone=self.zone,
            rules=self.rules,
        )


@dataclass(frozen=True, slots=True)
class ConcertDraft:
    """A concert that has no ids yet. If `slug` is None, the slug is derived from the name."""

    terms: ConcertTerms
    currency: CurrencyCode
    tiers: tuple[TierDraft, ...]
    slug: str | None = None
    room: RoomSettings = NO_ROOM
    image: ImageChange | None = None


@dataclass(frozen=True, slots=True)
class VenueChange:
    """A change to the venue. A field that is None is left unchanged."""

    name: str | None = None
    city: str | None = None
    country: str | None = None
    time_zone: str | None = None
    place: DetailsPatch = NO_DETAILS_PATCH
    """The changes to the address and the coordinates."""

    def apply_to(self, venue: Venue) -> Venue:
        return replace(
            self.place.apply_to(venue),
            name=venue.name if self.name is None else self.name,
            city=venue.city if self.city is None else self.city,
            country=venue.country if self.country is None else self.country,
            time_zone=venue.time_zone if self.time_zone is None else self.time_zone,
        )


@dataclass(frozen=True, slots=True)
class TierChange:
    """A change to one tier. A field that is None is left unchanged."""

    id: TierId
    name: str | None = None
    price_minor: int | None = None
    capacity: int | None = None
    description: str | None = None
    zone: str | None = None
    rules: TierRulesPatch = NO_RULES_PATCH

    def apply_to(self, tier: Tier) -> Tier:
        return replace(
            tier,
            name=tier.name if self.name is None else self.name,
            price_minor=tier.price_minor if self.price_minor is None else self.price_minor,
            capacity=tier.capacity if self.capacity is None else self.capacity,
            description=tier.description if self.description is None else self.description,
            zone=tier.zone if self.zone is None else self.zone,
            rules=self.rules.apply_to(tier.rules),
        )


@dataclass(frozen=True, slots=True)
class ConcertChange:
    """An organizer's change to a concert. A field that is None is left unchanged. Currency and slug
    never change.
    """

    name: str | None = None
    venue: VenueChange | None = None
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
    removed_tiers: tuple[TierId, ...] = ()
    gate_people: tuple[PersonId, ...] | None = None
    details: DetailsPatch = NO_DETAILS_PATCH
    image: ImageChange | None = None

    def apply_to(self, terms: ConcertTerms) -> ConcertTerms:
        return ConcertTerms(
            name=terms.name if self.name is None else self.name,
            venue=terms.venue if self.venue is None else self.venue.apply_to(terms.venue),
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
            details=self.details.apply_to(terms.details),
        )


NO_CHANGE = ConcertChange()


@dataclass(frozen=True, slots=True)
class ConcertFilter:
    """Conditions for a list of concerts. A concert must meet all of them.

    If `statuses` is None, all statuses that the viewer may see match.
    """

    statuses: tuple[ConcertStatus, ...] | None = None
    upcoming: bool = False
    """Matches concerts that are not past and, if `statuses` is None, are published or drafts."""
    search: str | None = None
    city: str | None = None
    on_sale_at: datetime | None = None
    """Matches published concerts whose sale window includes this time."""
    starts_after: datetime | None = None
    """The earliest start that matches."""
    starts_before: datetime | None = None
    """Later than every start that matches."""
    country: str | None = None
    genres: tuple[Genre, ...] | None = None
    price: PriceFilter | None = None
    mine: bool = False
    """Matches concerts that the viewer organizes."""
    organizer_id: PersonId | None = None
    """If given, concerts of other organizers do not match."""
    drafts_of: PersonId | None = None
    """If given, the drafts of other organizers do not match."""

    @property
    def wanted_statuses(self) -> tuple[ConcertStatus, ...] | None:
        """Return the statuses that match, or None for all."""
        return UPCOMING_STATUSES if self.upcoming and self.statuses is None else self.statuses
