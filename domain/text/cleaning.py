"""Cleans the texts in inputs for storage, and leaves all other values unchanged."""

from dataclasses import replace

from domain.concerts import ConcertChange, ConcertDraft, TierChange, TierDraft, Venue
from domain.orders import Customer
from domain.queues import RoomSettings
from domain.room_changes import RoomSettingsPatch
from domain.text.characters import clean_block, clean_line
from domain.text.email_addresses import clean_email


def clean_customer(customer: Customer) -> Customer:
    """Return a valid customer as the order stores it."""
    return Customer(name=clean_line(customer.name), email=clean_email(customer.email))


def clean_draft(draft: ConcertDraft) -> ConcertDraft:
    terms = draft.terms
    return replace(
        draft,
        terms=replace(
            terms,
            name=clean_line(terms.name),
            venue=_venue(terms.venue),
            description=clean_block(terms.description),
        ),
        tiers=tuple(map(_tier, draft.tiers)),
        room=clean_room(draft.room),
    )


def clean_change(change: ConcertChange) -> ConcertChange:
    return replace(
        change,
        name=None if change.name is None else clean_line(change.name),
        venue=None if change.venue is None else _venue(change.venue),
        description=None if change.description is None else clean_block(change.description),
        room=None if change.room is None else clean_patch(change.room),
        tiers=tuple(map(_tier_change, change.tiers)),
        new_tiers=tuple(map(_tier, change.new_tiers)),
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
    return Venue(name=clean_line(venue.name), city=clean_line(venue.city), country=venue.country)


def _tier(tier: TierDraft) -> TierDraft:
    return replace(tier, name=clean_line(tier.name))


def _tier_change(tier: TierChange) -> TierChange:
    return replace(tier, name=None if tier.name is None else clean_line(tier.name))
