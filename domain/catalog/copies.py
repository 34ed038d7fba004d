"""Copies of concerts: new drafts with the same terms at another time."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.concerts import Concert, ConcertStatus, ConcertTerms
from domain.ids import ConcertId, PersonId, fingerprint, tier_id
from domain.queues import RoomSettings
from domain.tiers.rules import TierRules


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """The differences of a copy. A time that is None keeps its distance from the start."""

    starts_at: datetime
    sales_start_at: datetime | None = None
    sales_end_at: datetime | None = None
    doors_at: datetime | None = None
    refunds_until: datetime | None = None
    name: str | None = None
    slug: str | None = None

    def digest(self, source_id: ConcertId) -> str:
        """Return a digest that is equal for equal requests to copy the same concert."""
        return fingerprint(source_id, repr(self))

    def apply_to(self, terms: ConcertTerms) -> ConcertTerms:
        shift = self.starts_at - terms.starts_at
        doors_at, refunds_until = terms.details.doors_at, terms.refunds_until
        return replace(
            terms,
            name=terms.name if self.name is None else self.name,
            starts_at=self.starts_at,
            sales_start_at=self.sales_start_at or terms.sales_start_at + shift,
            sales_end_at=self.sales_end_at or terms.sales_end_at + shift,
            refunds_until=self.refunds_until or (refunds_until and refunds_until + shift),
            details=replace(terms.details, doors_at=self.doors_at or (doors_at and doors_at + shift)),
        )


def copy_concert(
    source: Concert, request: CopyRequest, *, id_: ConcertId, slug: str, created_by: PersonId, now: datetime
) -> Concert:
    """Return a draft with the terms, tiers and waiting room of another concert.

    The history and the gate staff of the original are not copied.
    """
    return replace(
        source,
        id=id_,
        slug=slug,
        terms=request.apply_to(source.terms),
        tiers=tuple(
            replace(
                tier,
                id=tier_id(id_, number),
                top=tier.capacity,
                to_withdraw=0,
                rules=_new_rules(tier.rules, request.starts_at - source.terms.starts_at),
            )
            for number, tier in enumerate(source.tiers, start=1)
        ),
        highest_ordinal=0,
        status=ConcertStatus.DRAFT,
        version=1,
        epoch=0,
        created_by=created_by,
        created_at=now,
        gate_people=(),
        room=_new_room(source.room),
    )


def _new_rules(rules: TierRules, shift: timedelta) -> TierRules:
    """Return the rules with a window that moves with the concert, for a tier that is on sale."""
    return replace(
        rules,
        sales_start_at=rules.sales_start_at and rules.sales_start_at + shift,
        sales_end_at=rules.sales_end_at and rules.sales_end_at + shift,
        is_withdrawn=False,
    )


def _new_room(room: RoomSettings) -> RoomSettings:
    """Return the settings without their times, their message and everything that a sale has
    changed.
    """
    fresh = RoomSettings()
    return replace(
        room,
        prequeue_starts_at=None,
        opens_at=None,
        queue_all=False,
        message="",
        version=fresh.version,
        round=fresh.round,
        commitment="",
    )
