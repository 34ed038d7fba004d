"""The inputs for creating, changing, publishing and closing concerts."""

from datetime import datetime

import strawberry
from strawberry import UNSET

import domain.concerts
from domain.catalog.details import ConcertDetails, Detail, DetailsPatch
from domain.catalog.details_validation import MAX_ADDRESS, MAX_ARTIST, MAX_LINKS, MAX_MINIMUM_AGE
from domain.concerts import (
    DEFAULT_PAYMENT_MS,
    ConcertChange,
    ConcertDraft,
    ConcertTerms,
    VenueChange,
)
from domain.ids import PersonId
from domain.images.image import ImageChange, ImageId
from domain.queues import NO_ROOM
from schema.catalog.details import ConcertLinkInput, CoordinatesInput
from schema.enums import CurrencyCode, Genre
from schema.ids import IdReader
from schema.mutations.room_inputs import WaitingRoomInput
from schema.mutations.tier_inputs import TierChangeInput, TierInput


@strawberry.input(description="Where a concert takes place.")
class VenueInput:
    name: str = strawberry.field(description="The name of the venue.")
    city: str = strawberry.field(description="The city of the venue.")
    country: str = strawberry.field(description="An ISO 3166-1 alpha-2 code, such as `DE`.")
    time_zone: str = strawberry.field(description="The IANA time zone of the venue, such as `Europe/Berlin`.")
    address: str | None = strawberry.field(
        default=None, description=f"The postal address of the venue, in one line of at most {MAX_ADDRESS} characters."
    )
    coordinates: CoordinatesInput | None = strawberry.field(default=None, description="Where the venue is on the map.")

    def read(self) -> domain.concerts.Venue:
        coordinates = self.coordinates.read() if self.coordinates else None
        return domain.concerts.Venue(self.name, self.city, self.country, self.time_zone, self.address, coordinates)


@strawberry.input(description="A new concert. It is a draft until you publish it.")
class CreateConcertInput:
    name: str = strawberry.field(description="The name of the concert.")
    slug: str | None = strawberry.field(
        default=None, description="The name of the concert in URLs. If null, it is derived from `name`."
    )
    venue: VenueInput = strawberry.field(description="Where the concert takes place.")
    description: str = strawberry.field(default="", description="A description for buyers.")
    artist: str | None = strawberry.field(
        default=None, description=f"The person, band or ensemble that plays, at most {MAX_ARTIST} characters."
    )
    genre: Genre | None = strawberry.field(default=None, description="The kind of music.")
    minimum_age: int | None = strawberry.field(
        default=None,
        description=(
            f"The age, in years, from which people are admitted, 1 to {MAX_MINIMUM_AGE}. Null admits people of any age."
        ),
    )
    links: list[ConcertLinkInput] | None = strawberry.field(
        default=None,
        description=(f"At most {MAX_LINKS} links for further reading, in the order in which they are shown."),
    )
    doors_at: datetime | None = strawberry.field(
        default=None, description="When the doors open, within the day before `startsAt`."
    )
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
            "The time until which buyers can refund their orders themselves, at the latest the "
            "start of the concert. If null, only the organizer and admins can refund an order."
        ),
    )
    waiting_room: WaitingRoomInput | None = strawberry.field(
        default=None, description="The settings of the waiting room. If null, the waiting room is off."
    )
    tiers: list[TierInput] = strawberry.field(description="The tiers, in the order they are shown.")
    image_id: str | None = strawberry.field(
        default=None, description="The `id` that `POST /uploads` returned. If null, the concert has no image."
    )
    image_alt: str | None = strawberry.field(
        default=None,
        description="What the image shows, for people who cannot see it. Required with `imageId`.",
    )

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
                details=ConcertDetails(
                    artist=self.artist,
                    genre=self.genre,
                    doors_at=self.doors_at,
                    minimum_age=self.minimum_age,
                    links=tuple(link.read() for link in self.links or ()),
                ),
            ),
            slug=self.slug,
            currency=self.currency,
            room=self.waiting_room.read().apply_to(NO_ROOM) if self.waiting_room else NO_ROOM,
            tiers=tuple(tier.read() for tier in self.tiers),
            image=_image_change(self.image_id, self.image_alt),
        )


@strawberry.input(
    description=(
        "A change to the venue. Fields that are null or absent stay unchanged, but null removes `address` and"
        " `coordinates`."
    )
)
class VenueChangeInput:
    name: str | None = strawberry.field(default=None, description="The new name of the venue.")
    city: str | None = strawberry.field(default=None, description="The new city.")
    country: str | None = strawberry.field(
        default=None, description="The new country, an ISO 3166-1 alpha-2 code, such as `DE`."
    )
    time_zone: str | None = strawberry.field(
        default=None,
        description=(
            "The new IANA time zone, such as `Europe/Berlin`. Send it if the concert moves to another time zone: a new"
            " city does not change it, and `startsAt` stays the same moment. It can be changed even after the concert"
            " has closed."
        ),
    )
    address: str | None = strawberry.field(
        default=UNSET,
        description=(
            "The new postal address. Send it, or null, if the concert moves: a new venue name does not change it."
        ),
    )
    coordinates: CoordinatesInput | None = strawberry.field(
        default=UNSET, description="The new position on the map. Send it, or null, if the concert moves."
    )

    def read(self) -> VenueChange:
        point = self.coordinates
        place = _patch(address=self.address, coordinates=point.read() if isinstance(point, CoordinatesInput) else point)
        return VenueChange(self.name, self.city, self.country, self.time_zone, place)


@strawberry.input(
    description=(
        "A change to a concert. Fields that are null or absent stay unchanged, but null removes `artist`, `genre`,"
        " `minimumAge` and `doorsAt`. The version increases only if something changes."
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
    venue: VenueChangeInput | None = strawberry.field(default=None, description="Changes to the venue.")
    description: str | None = strawberry.field(default=None, description="The new description.")
    artist: str | None = strawberry.field(default=UNSET, description="The person, band or ensemble that plays.")
    genre: Genre | None = strawberry.field(default=UNSET, description="The kind of music.")
    minimum_age: int | None = strawberry.field(
        default=UNSET,
        description=("The age, in years, from which people are admitted. Null if people of any age are admitted."),
    )
    links: list[ConcertLinkInput] | None = strawberry.field(
        default=None, description="All links for further reading. They replace the current ones."
    )
    doors_at: datetime | None = strawberry.field(
        default=UNSET,
        description="When the doors open, within the day before `startsAt`. A new `startsAt` does not change it.",
    )
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
            "The new time until which buyers can refund their orders themselves. To stop this now, "
            "send a time in the past."
        ),
    )
    waiting_room: WaitingRoomInput | None = strawberry.field(
        default=None, description="Settings of the waiting room to change."
    )
    tiers: list[TierChangeInput] | None = strawberry.field(default=None, description="Changes to existing tiers.")
    new_tiers: list[TierInput] | None = strawberry.field(
        default=None, description="Tiers to add after the existing ones."
    )
    removed_tiers: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description=(
            "The ids of tiers to remove while the concert is a draft. Tiers of a published concert cannot be removed;"
            " use `tiers` to withdraw and hide them."
        ),
    )
    gate_people: list[str] | None = strawberry.field(
        default=None,
        description=(
            "The `sub` of each person who may check tickets at this concert, at most 100. The list replaces the current"
            " one. It can be changed even after the concert has closed."
        ),
    )

    image_id: str | None = strawberry.field(
        default=None,
        description="The new image: the `id` that `POST /uploads` returned. It needs a new `imageAlt`.",
    )
    image_alt: str | None = strawberry.field(
        default=None, description="The new text for people who cannot see the image."
    )
    remove_image: bool = strawberry.field(
        default=False, description="Whether to remove the image. It cannot be sent with `imageId` or `imageAlt`."
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
            removed_tiers=reader.tiers("removedTiers", self.removed_tiers or ()),
            gate_people=None if self.gate_people is None else tuple(map(PersonId, self.gate_people)),
            details=_patch(
                artist=self.artist,
                genre=self.genre,
                minimum_age=self.minimum_age,
                links=UNSET if self.links is None else tuple(link.read() for link in self.links),
                doors_at=self.doors_at,
            ),
            image=_image_change(self.image_id, self.image_alt, removes=self.remove_image),
        )


def _patch(**fields: Detail) -> DetailsPatch:
    """Return a patch of the fields that were sent, including those that are null."""
    return DetailsPatch(tuple((name, value) for name, value in fields.items() if value is not UNSET))


def _image_change(image_id: str | None, alt: str | None, *, removes: bool = False) -> ImageChange | None:
    if image_id is None and alt is None and not removes:
        return None
    return ImageChange(None if image_id is None else ImageId(image_id), alt, removes)


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
