"""A concert in an organizer's words: the inputs that make, change, publish and close one."""

from datetime import datetime

import strawberry

import domain.concerts
from domain.concerts import ConcertChange, ConcertDraft, ConcertTerms, TierChange, TierDraft
from domain.queues import NO_ROOM
from schema.enums import CurrencyCode
from schema.ids import IdReader
from schema.mutations.room_inputs import WaitingRoomInput


@strawberry.input(description="Where a concert takes place.")
class VenueInput:
    name: str
    city: str
    country: str = strawberry.field(description="ISO 3166-1 alpha-2, like `DE`.")

    def read(self) -> domain.concerts.Venue:
        return domain.concerts.Venue(name=self.name, city=self.city, country=self.country)


@strawberry.input(description="A tier to begin with.")
class TierInput:
    name: str
    price_minor: int = strawberry.field(description="In the smallest unit of the concert's currency.")
    capacity: int

    def read(self) -> TierDraft:
        return TierDraft(name=self.name, price_minor=self.price_minor, capacity=self.capacity)


@strawberry.input(description="A concert as a draft; publish it when it is right.")
class CreateConcertInput:
    name: str
    slug: str | None = strawberry.field(default=None, description="Its name in addresses. Null: made from the name.")
    venue: VenueInput
    description: str = ""
    starts_at: datetime
    sales_start_at: datetime
    sales_end_at: datetime
    currency: CurrencyCode
    limit_per_order: int = strawberry.field(default=8, description="Most tickets in one request, over all tiers.")
    limit_per_person: int = strawberry.field(
        default=8, description="Most tickets one person holds and owns, over all tiers."
    )
    hold_duration_seconds: int = strawberry.field(default=600, description="How long a hold lasts.")
    waiting_room: WaitingRoomInput | None = None
    tiers: list[TierInput]

    def read(self) -> ConcertDraft:
        return ConcertDraft(
            terms=ConcertTerms(
                name=self.name,
                venue=self.venue.read(),
                description=self.description,
                starts_at=self.starts_at,
                sales_start_at=self.sales_start_at,
                sales_end_at=self.sales_end_at,
                limit_per_order=self.limit_per_order,
                limit_per_person=self.limit_per_person,
                hold_duration_ms=self.hold_duration_seconds * 1000,
            ),
            slug=self.slug,
            currency=self.currency,
            room=self.waiting_room.read().apply_to(NO_ROOM) if self.waiting_room else NO_ROOM,
            tiers=tuple(tier.read() for tier in self.tiers),
        )


@strawberry.input(description="A change of a tier; what is null or absent stays as it is.")
class TierChangeInput:
    tier_id: strawberry.ID
    name: str | None = None
    price_minor: int | None = strawberry.field(default=None, description="For new holds; a hold keeps its price.")
    capacity: int | None = strawberry.field(default=None, description="Never below what is held or sold.")

    def read(self, reader: IdReader, path: str) -> TierChange:
        tier_id = reader.tier(f"{path}.tierId", self.tier_id)
        return TierChange(id=tier_id, name=self.name, price_minor=self.price_minor, capacity=self.capacity)


@strawberry.input(description="A change of a concert; what is null or absent stays as it is.")
class UpdateConcertInput:
    concert_id: strawberry.ID
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with VersionConflictError unless the concert is still at this version."
    )
    name: str | None = None
    venue: VenueInput | None = None
    description: str | None = None
    starts_at: datetime | None = None
    sales_start_at: datetime | None = None
    sales_end_at: datetime | None = None
    limit_per_order: int | None = None
    limit_per_person: int | None = None
    hold_duration_seconds: int | None = None
    waiting_room: WaitingRoomInput | None = None
    tiers: list[TierChangeInput] = strawberry.field(default_factory=list, description="Changes of tiers it has.")
    new_tiers: list[TierInput] = strawberry.field(default_factory=list, description="Tiers to add behind them.")

    def read(self, reader: IdReader) -> ConcertChange:
        """All but the room, whose change depends on what it is."""
        return ConcertChange(
            name=self.name,
            venue=self.venue.read() if self.venue else None,
            description=self.description,
            starts_at=self.starts_at,
            sales_start_at=self.sales_start_at,
            sales_end_at=self.sales_end_at,
            limit_per_order=self.limit_per_order,
            limit_per_person=self.limit_per_person,
            hold_duration_ms=None if self.hold_duration_seconds is None else self.hold_duration_seconds * 1000,
            tiers=tuple(tier.read(reader, f"tiers.{i}") for i, tier in enumerate(self.tiers)),
            new_tiers=tuple(tier.read() for tier in self.new_tiers),
        )


@strawberry.input(description="The draft to put into the catalogue.")
class PublishConcertInput:
    concert_id: strawberry.ID


@strawberry.input(description="The concert whose sale ends for good; holds that exist may still be bought.")
class CloseConcertInput:
    concert_id: strawberry.ID
