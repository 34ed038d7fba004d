"""The audit rows of a waiting room, for the concert's organizer."""

from datetime import datetime
from typing import Self

import strawberry

import domain.room_audits
import domain.room_changes
from schema import ids
from schema.enums import AdmissionLimit, RoomAction


@strawberry.type(
    description="One setting before and after a change, as text. A value is empty if the setting was not set."
)
class SettingChange:
    setting: str = strawberry.field(
        description="The name of the setting, such as `totalActiveUsers`, `organizerId`, `gatePeople` or `price`."
    )
    tier_id: strawberry.ID | None = strawberry.field(
        description="The id of the tier whose price changed. Null for other settings."
    )
    before: str = strawberry.field(description="The value before the change.")
    after: str = strawberry.field(description="The value after the change.")

    @classmethod
    def of(cls, change: domain.room_changes.SettingChange) -> Self:
        return cls(
            setting=change.setting,
            tier_id=ids.of_tier(change.tier_id) if change.tier_id else None,
            before=change.before,
            after=change.after,
        )


@strawberry.type(description="The result of calling people manually.")
class HandCall:
    asked: int = strawberry.field(description="How many people the organizer wanted to call.")
    called: int | None = strawberry.field(
        description=(
            "How many people were called. Null if the server stopped before it knew; to find out, repeat the "
            "request with the same key."
        )
    )
    limit: AdmissionLimit | None = strawberry.field(
        description="Why fewer people were called than requested. Null if all were called."
    )

    @classmethod
    def of(cls, call: domain.room_audits.ManualAdmission) -> Self:
        return cls(asked=call.asked, called=call.called, limit=call.limit)


@strawberry.type(
    description=(
        "A record of one change to a waiting room, to prices, or to the people who run the concert. Records are kept"
        " permanently."
    )
)
class RoomAudit:
    at: datetime = strawberry.field(description="When the change was made.")
    person_id: str = strawberry.field(description="The `sub` of the token of the person who made the change.")
    person_name: str = strawberry.field(description="The person's name at that time.")
    action: RoomAction = strawberry.field(description="The kind of change.")
    settings_version: int = strawberry.field(description="The version of the settings after the change.")
    round: int = strawberry.field(description="The round of the queue after the change.")
    changes: list[SettingChange] = strawberry.field(description="The settings that changed. Empty for manual calls.")
    call: HandCall | None = strawberry.field(description="The result, for ADMITTED_NEXT.")

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
