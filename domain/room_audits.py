"""The audit of a waiting room: one row per change of its settings and per manual admission.

The row of a settings change is written together with the change and kept. The row of a manual
admission is written before the admission and completed with its result.
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
    """The reason why `admitNext` called fewer people than requested."""

    NOBODY_WAITS = "NOBODY_WAITS"
    TOTAL_ACTIVE_USERS = "TOTAL_ACTIVE_USERS"
    NEW_USERS_PER_MINUTE = "NEW_USERS_PER_MINUTE"


@dataclass(frozen=True, slots=True)
class RoomCommand:
    """A command that may change a room: the person who gave it, and the id of its audit row, which
    ensures that it runs only once.
    """

    id: str
    person_id: PersonId
    person_name: str
    action: RoomAction = RoomAction.CONFIGURED
    digest: str = ""
    """The fingerprint of the request that was made with the idempotency key."""


@dataclass(frozen=True, slots=True)
class ManualAdmission:
    """The request of `admitNext` and its result."""

    asked: int
    called: int | None
    """None while the result is unknown, because the caller stopped before writing it. A request
    with the same key finds it.
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
