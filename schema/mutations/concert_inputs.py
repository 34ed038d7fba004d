"""The inputs for creating, changing, publishing and closing concerts."""

from datetime import datetime

import strawberry

import domain.concerts
from domain.concerts import DEFAULT_PAYMENT_MS, ConcertChange, ConcertDraft, ConcertTerms, TierChange, TierDraft
from domain.ids import PersonId
from domain.queues import NO_ROOM
from schema.enums import CurrencyCode
from schema.ids import IdReader
from schema.mutations.room_inputs import WaitingRoomInput
from schema.scalars import SafeInt


@strawberry.input(description="Where a concert takes place.")
class VenueInput:
    name: str = strawberry.field(description="The name of the venue.")
    city: str = strawberry.field(description="The city of the venue.")
    country: str = strawberry.field(description="An ISO 3166-1 alpha-2 code, such as `DE`.")

    def read(self) -> domain.concerts.Venue:
        return domain.concerts.Venue(name=self.name, city=self.city, country=self.country)


@strawberry.input(description="A new tier.")
class TierInput:
    name: str = strawberry.field(description="The name of the tier.")
    price_minor: SafeInt = strawberry.field(
        description=(
            "The price in the smallest unit of the concert's currency. 0 means free. The lowest and the highest price"
            " depend on the currency."
        )
    )
    capacity: int = strawberry.field(description="The total number of tickets on sale.")

    def read(self) -> TierDraft:
        return TierDraft(name=self.name, price_minor=self.price_minor, capacity=self.capacity)


@strawberry.input(description="A new concert. It is a draft until you publish it.")
class CreateConcertInput:
    name: str = strawberry.field(description="The name of the concert.")
    slug: str | None = strawberry.field(
        default=None, description="The name of the concert in URLs. If null, it is derived from `name`."
    )
    venue: VenueInput = strawberry.field(description="Where the concert takes place.")
    description: str = strawberry.field(default="", description="A description for buyers.")
    starts_at: datetime = strawberry.field(description="When the concert starts.")
    sales_start_at: datetime = strawberry.field(description="When the sale starts.")
    sales_end_at: datetime = strawberry.field(
        description="When the sale ends, at most a day after the start of the concert."
    )
    currency: CurrencyCode = strawberry.field(description="The currency of all prices. It cannot change later.")
    limit_per_order: int = strawberry.field(
        default=8, description="The maximum number of tickets in one request, across all tiers."
    )
    limit_per_person: int = strawberry.field(
        default=8, description="The maximum number of tickets one person may hold and own, across all tiers."
    )
    hold_duration_seconds: int = strawberry.field(default=600, description="How long a hold lasts, in seconds.")
    payment_duration_seconds: int = strawberry.field(
        default=DEFAULT_PAYMENT_MS // 1000, description="The time to pay an order, in seconds, from 60 to 1800."
    )
    refunds_until: datetime | None = strawberry.field(
        default=None,
        description=(
            "Until this time, buyers can return their orders themselves; at the latest, until the concert starts. If"
            " null, only the organizer and admins can refund an order."
        ),
    )
    waiting_room: WaitingRoomInput | None = strawberry.field(
        default=None, description="The settings of the waiting room. If null, the waiting room is off."
    )
    tiers: list[TierInput] = strawberry.field(description="The tiers, in the order they are shown.")

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
                payment_duration_ms=self.payment_duration_seconds * 1000,
                refunds_until=self.refunds_until,
            ),
            slug=self.slug,
            currency=self.currency,
            room=self.waiting_room.read().apply_to(NO_ROOM) if self.waiting_room else NO_ROOM,
            tiers=tuple(tier.read() for tier in self.tiers),
        )


@strawberry.input(description="A change to a tier. Fields that are null or absent stay unchanged.")
class TierChangeInput:
    tier_id: strawberry.ID = strawberry.field(description="The id of the tier to change.")
    name: str | None = strawberry.field(default=None, description="The new name.")
    price_minor: SafeInt | None = strawberry.field(
        default=None, description="The price for new holds. Existing holds keep their price."
    )
    capacity: int | None = strawberry.field(
        default=None, description="The new capacity. It cannot be lower than the number of tickets held or sold."
    )

    def read(self, reader: IdReader, path: str) -> TierChange:
        tier_id = reader.tier(f"{path}.tierId", self.tier_id)
        return TierChange(id=tier_id, name=self.name, price_minor=self.price_minor, capacity=self.capacity)


@strawberry.input(
    description=(
        "A change to a concert. Fields that are null or absent stay unchanged. The version increases"
        " only if something changes."
    )
)
class UpdateConcertInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    expected_version: int | None = strawberry.field(
        default=None,
        description=(
            "The expected version. The change is refused with VersionConflictError if the version differs. If null,"
            " the change applies to any version."
        ),
    )
    name: str | None = strawberry.field(default=None, description="The new name.")
    venue: VenueInput | None = strawberry.field(default=None, description="The new venue.")
    description: str | None = strawberry.field(default=None, description="The new description.")
    starts_at: datetime | None = strawberry.field(default=None, description="The new start of the concert.")
    sales_start_at: datetime | None = strawberry.field(default=None, description="The new start of the sale.")
    sales_end_at: datetime | None = strawberry.field(
        default=None,
        description="The new end of the sale. If the sale has already ended, its queue begins a new round.",
    )
    limit_per_order: int | None = strawberry.field(default=None, description="The new limit per order.")
    limit_per_person: int | None = strawberry.field(default=None, description="The new limit per person.")
    hold_duration_seconds: int | None = strawberry.field(
        default=None, description="The new duration of holds, in seconds."
    )
    payment_duration_seconds: int | None = strawberry.field(
        default=None, description="The new time to pay an order, in seconds. Existing orders keep their deadline."
    )
    refunds_until: datetime | None = strawberry.field(
        default=None,
        description=(
            "The new time until which buyers can return their orders themselves. To stop returns now, send a time that"
            " has passed."
        ),
    )
    waiting_room: WaitingRoomInput | None = strawberry.field(
        default=None, description="Settings of the waiting room to change."
    )
    tiers: list[TierChangeInput] | None = strawberry.field(default=None, description="Changes to existing tiers.")
    new_tiers: list[TierInput] | None = strawberry.field(
        default=None, description="Tiers to add after the existing ones."
    )
    gate_people: list[str] | None = strawberry.field(
        default=None,
        description=(
            "The `sub` of each person who may check tickets at this concert, at most 100. The list replaces the current"
            " one. It can be changed even after the concert has closed."
        ),
    )

    def read(self, reader: IdReader) -> ConcertChange:
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
            payment_duration_ms=None if self.payment_duration_seconds is None else self.payment_duration_seconds * 1000,
            refunds_until=self.refunds_until,
            room=self.waiting_room.read() if self.waiting_room else None,
            tiers=tuple(tier.read(reader, f"tiers.{i}") for i, tier in enumerate(self.tiers or ())),
            new_tiers=tuple(tier.read() for tier in self.new_tiers or ()),
            gate_people=None if self.gate_people is None else tuple(map(PersonId, self.gate_people)),
        )


@strawberry.input(description="The concert and its new organizer.")
class ChangeConcertOrganizerInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    organizer_id: str = strawberry.field(
        description="The `sub` of the new organizer, who also needs the role `organizer`."
    )
    expected_version: int | None = strawberry.field(
        default=None,
        description=(
            "The expected version. The change is refused with VersionConflictError if the version differs. If null,"
            " the change applies to any version."
        ),
    )


@strawberry.input(description="The draft to publish.")
class PublishConcertInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(description="The concert to cancel. It stays listed, and can never be on sale again.")
class CancelConcertInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(description="The concert to close. Its sale ends permanently; existing holds can still be bought.")
class CloseConcertInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
