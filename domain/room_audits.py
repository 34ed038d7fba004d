"""What organisers did to a waiting room: one row for each change of its settings and each call by hand.

A row is written with what it tells of and kept; that of a call by hand is there before, and then says what came of it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.ids import ConcertId, PersonId
from domain.room_changes import SettingChange


class RoomAction(StrEnum):
    CONFIGURED = "CONFIGURED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    ADMITTED_NEXT = "ADMITTED_NEXT"
    RESET = "RESET"


class AdmissionLimit(StrEnum):
    """Why `admitNext` called fewer than were asked for."""

    NOBODY_WAITS = "NOBODY_WAITS"
    TOTAL_ACTIVE_USERS = "TOTAL_ACTIVE_USERS"
    NEW_USERS_PER_MINUTE = "NEW_USERS_PER_MINUTE"


@dataclass(frozen=True, slots=True)
class RoomCommand:
    """A step that may change a room: who takes it, and the id that its row will have, so that it is taken once."""

    id: str
    person_id: PersonId
    person_name: str
    action: RoomAction = RoomAction.CONFIGURED
    digest: str = ""
    """Of what was asked for under an idempotency key."""


@dataclass(frozen=True, slots=True)
class ManualAdmission:
    """What `admitNext` asked for, and what came of it."""

    asked: int
    called: int | None
    """None while nobody knows: who called died before it was told. The same key finds out."""
    limit: AdmissionLimit | None


@dataclass(frozen=True, slots=True)
class RoomAudit:
    concert_id: ConcertId
    at: datetime
    command: RoomCommand
    settings_version: int
    """Of the settings after it."""
    round: int
    changes: tuple[SettingChange, ...] = ()
    manual_admission: ManualAdmission | None = None
