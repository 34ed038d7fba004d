"""The audit log of a waiting room: one row for each settings change and each manual admission. It
also records changes to the concert's prices, its organizer and its gate staff.

The row of a settings change is written together with the change. The row of a manual admission is
written before the admission and completed with its result.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.concerts import Concert
from domain.ids import ConcertId, PersonId
from domain.money import Money
from domain.room_changes import SettingChange, diff_room_settings


class RoomAction(StrEnum):
    CONFIGURED = "CONFIGURED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    ADMITTED_NEXT = "ADMITTED_NEXT"
    RESET = "RESET"


class AdmissionLimit(StrEnum):
    """The reason `admitNext` called fewer people than requested."""

    NOBODY_WAITS = "NOBODY_WAITS"
    TOTAL_ACTIVE_USERS = "TOTAL_ACTIVE_USERS"
    NEW_USERS_PER_MINUTE = "NEW_USERS_PER_MINUTE"


@dataclass(frozen=True, slots=True)
class RoomCommand:
    """A command that may change a room. Its `id` is the id of its audit row, which ensures that it
    runs only once.
    """

    id: str
    person_id: PersonId
    person_name: str
    action: RoomAction = RoomAction.CONFIGURED
    digest: str = ""
    """The fingerprint of the request that was sent with the idempotency key."""


@dataclass(frozen=True, slots=True)
class ManualAdmission:
    """A request to call people with `admitNext`, and its result."""

    asked: int
    called: int | None
    """None if the result is unknown because the process stopped before it was written. Repeating
    the request with the same key returns the result.
    """
    limit: AdmissionLimit | None


@dataclass(frozen=True, slots=True)
class RoomAudit:
    concert_id: ConcertId
    at: datetime
    command: RoomCommand
    settings_version: int
    """The settings version after the command."""
    round: int
    changes: tuple[SettingChange, ...] = ()
    manual_admission: ManualAdmission | None = None


def diff_audited(before: Concert, after: Concert) -> tuple[SettingChange, ...]:
    """Return the changes to a concert that its audit log records. Gate staff are separated by
    spaces. A new tier has no price before.
    """
    others = (
        SettingChange("organizerId", before.organizer_id, after.organizer_id),
        SettingChange("gatePeople", " ".join(before.gate_people), " ".join(after.gate_people)),
    )
    changed = tuple(change for change in others if change.before != change.after)
    return diff_room_settings(before.room, after.room) + changed + _diff_prices(before, after)


def _diff_prices(before: Concert, after: Concert) -> tuple[SettingChange, ...]:
    changes = []
    for tier in after.tiers:
        old = before.tier(tier.id)
        if old is None or old.price_minor != tier.price_minor:
            price_before = "" if old is None else str(Money(old.price_minor, before.currency))
            price_after = str(Money(tier.price_minor, after.currency))
            changes.append(SettingChange("price", price_before, price_after, tier.id))
    return tuple(changes)
