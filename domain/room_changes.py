"""Changes to waiting room settings: a requested patch, and the differences between two versions.

Differences use the names and value formats of the API.
"""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from domain.ids import TierId
from domain.queues import QueueingMethod, RoomSettings

Setting: TypeAlias = bool | int | str | QueueingMethod | datetime | None

_API_NAMES = {
    "suspended": "suspended",
    "queueing_method": "queueingMethod",
    "total_active_users": "totalActiveUsers",
    "new_users_per_minute": "newUsersPerMinute",
    "pass_claim_timeout_ms": "passClaimTimeoutSeconds",
    "session_duration_ms": "sessionDurationSeconds",
    "prequeue_starts_at": "prequeueStartsAt",
    "opens_at": "opensAt",
    "shuffle_at_start": "shuffleAtStart",
    "message": "message",
    "proof_of_work_bits": "proofOfWorkBits",
    "queue_all": "queueAll",
    "heartbeat_timeout_ms": "heartbeatTimeoutSeconds",
    "disconnect_grace_ms": "disconnectGraceSeconds",
    "round": "round",
    "commitment": "commitment",
}


@dataclass(frozen=True, slots=True)
class RoomSettingsPatch:
    """A partial change. `given` contains the RoomSettings fields to change and their new values."""

    given: tuple[tuple[str, Setting], ...] = ()

    def apply_to(self, before: RoomSettings) -> RoomSettings:
        changes: dict[str, Any] = dict(self.given)
        return replace(before, **changes)

    def fingerprint_parts(self) -> tuple[str, ...]:
        """Return fingerprint parts that are equal for equal patches, regardless of the current
        settings.
        """
        return tuple(
            f"{_API_NAMES[name]}={_text(name, value)}" for name, value in sorted(self.given, key=lambda item: item[0])
        )


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One changed setting. `before` or `after` is empty if there was no value."""

    setting: str
    before: str
    after: str
    tier_id: TierId | None = None
    """The tier whose price changed; None for all other settings."""


def diff_room_settings(before: RoomSettings, after: RoomSettings) -> tuple[SettingChange, ...]:
    """Return the changed settings, except `version`, in the order of their declaration."""
    names = [field.name for field in fields(RoomSettings) if field.name != "version"]
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
    changed = [(name, old, new) for name, old, new in pairs if old != new]
    return tuple(SettingChange(_API_NAMES[name], _text(name, old), _text(name, new)) for name, old, new in changed)


def _text(name: str, value: Setting) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() if name.endswith("_ms"):
            return str(value // 1000)
        case datetime():
            precision = "milliseconds" if value.microsecond else "seconds"
            return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
    return str(value)
