"""What organizers did to a waiting room, as they read it again."""

from datetime import datetime
from typing import Self

import strawberry

import domain.room_audits
import domain.room_changes
from schema.enums import AdmissionLimit, RoomAction


@strawberry.type(description="One setting before and after a change, as text. Empty: it had no value, or has none now.")
class SettingChange:
    setting: str = strawberry.field(description="Its name, like `totalActiveUsers`.")
    before: str
    after: str

    @classmethod
    def of(cls, change: domain.room_changes.SettingChange) -> Self:
        return cls(setting=change.setting, before=change.before, after=change.after)


@strawberry.type(description="People called by hand.")
class HandCall:
    asked: int
    called: int | None = strawberry.field(
        description="Null where the server died before it knew; the same key, sent again, finds out."
    )
    limit: AdmissionLimit | None = strawberry.field(description="Why not more; null if as many as asked for.")

    @classmethod
    def of(cls, call: domain.room_audits.ManualAdmission) -> Self:
        return cls(asked=call.asked, called=call.called, limit=call.limit)


@strawberry.type(description="One thing done to a waiting room. Rows are written with what they tell of, and stay.")
class RoomAudit:
    at: datetime
    person_id: str = strawberry.field(description="Who did it, by the `sub` of their token.")
    person_name: str = strawberry.field(description="What they were called then.")
    action: RoomAction
    settings_version: int = strawberry.field(description="Of the settings after it.")
    round: int = strawberry.field(description="The round of the line after it.")
    changes: list[SettingChange] = strawberry.field(description="Settings that it changed; none for calls by hand.")
    call: HandCall | None = strawberry.field(description="For ADMITTED_NEXT.")

    @classmethod
    def of(cls, audit: domain.room_audits.RoomAudit) -> Self:
        return cls(
            at=audit.at,
            person_id=audit.command.person_id,
            person_name=audit.command.person_name,
            action=audit.command.action,
            settings_version=audit.settings_version,
            round=audit.round,
            changes=[SettingChange.of(change) for change in audit.changes],
            call=HandCall.of(audit.manual_admission) if audit.manual_admission else None,
        )
