"""Cleans the texts in inputs for storage, and leaves all other values unchanged."""

from dataclasses import replace

from domain.catalog.details import ConcertDetails, Detail, DetailsPatch, Genre
from domain.concerts import ConcertChange, ConcertDraft, TierChange, TierDraft, Venue, VenueChange
from domain.images.image import ImageChange
from domain.orders import Customer
from domain.queues import RoomSettings
from domain.room_changes import RoomSettingsPatch
from domain.text.characters import clean_block, clean_line
from domain.text.email_addresses import clean_email


def clean_customer(customer: Customer) -> Customer:
    """Return a valid customer as the order stores it."""
    return replace(customer, name=clean_line(customer.name), email=clean_email(customer.email))


def clean_draft(draft: ConcertDraft) -> ConcertDraft:
    terms = draft.terms
    return replace(
        draft,
        terms=replace(
            terms,
            name=clean_line(terms.name),
            venue=_venue(terms.venue),
            description=clean_block(terms.description),
            details=_details(terms.details),
        ),
        tiers=tuple(map(_tier, draft.tiers)),
        room=clean_room(draft.room),
        image=_image_change(draft.image),
    )


def clean_change(change: ConcertChange) -> ConcertChange:
    return replace(
        change,
        name=None if change.name is None else clean_line(change.name),
        venue=None if change.venue is None else _venue_change(change.venue),
        description=None if change.description is None else clean_block(change.description),
        room=None if change.room is None else clean_patch(change.room),
        tiers=tuple(map(_tier_change, change.tiers)),
        new_tiers=tuple(map(_tier, change.new_tiers)),
        details=_details_patch(change.details),
        image=_image_change(change.image),
    )


def clean_room(room: RoomSettings) -> RoomSettings:
    return replace(room, message=clean_block(room.message))


def clean_patch(patch: RoomSettingsPatch) -> RoomSettingsPatch:
    return RoomSettingsPatch(
        tuple(
            (name, clean_block(value) if isinstance(value, str) and name == "message" else value)
            for name, value in patch.given
        )
    )


def _venue(venue: Venue) -> Venue:
    address = None if venue.address is None else clean_line(venue.address)
    return replace(venue, name=clean_line(venue.name), city=clean_line(venue.city), address=address)


def _venue_change(venue: VenueChange) -> VenueChange:
    return replace(
        venue,
        name=None if venue.name is None else clean_line(venue.name),
        city=None if venue.city is None else clean_line(venue.city),
        place=_details_patch(venue.place),
    )


def _details(details: ConcertDetails) -> ConcertDetails:
    return _details_patch(DetailsPatch((("artist", details.artist), ("links", details.links)))).apply_to(details)


def _details_patch(patch: DetailsPatch) -> DetailsPatch:
    return DetailsPatch(tuple((name, _detail(value)) for name, value in patch.given))


def _detail(value: Detail) -> Detail:
    """Return a new value in the form in which it is stored: a text in one line, and each link with
    a clean label.
    """
    if isinstance(value, Genre):
        return value
    if isinstance(value, str):
        return clean_line(value)
    if isinstance(value, tuple):
        return tuple(replace(link, label=clean_line(link.label)) for link in value)
    return value


def _image_change(image: ImageChange | None) -> ImageChange | None:
    if image is None or image.alt is None:
        return image
    return replace(image, alt=clean_line(image.alt))


def _tier(tier: TierDraft) -> TierDraft:
    return replace(
        tier, name=clean_line(tier.name), description=clean_block(tier.description), zone=clean_line(tier.zone)
    )


def _tier_change(tier: TierChange) -> TierChange:
    return replace(
        tier,
        name=None if tier.name is None else clean_line(tier.name),
        description=None if tier.description is None else clean_block(tier.description),
        zone=None if tier.zone is None else clean_line(tier.zone),
    )
