"""A waiting room in an organizer's words: its settings, and the inputs of what is done to it."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from domain.room_changes import RoomSettingsPatch, Setting
from schema.enums import QueueingMethod

_MS = 1000


@strawberry.input(
    description="How the waiting room admits. What is absent stays as it is, or has its default; "
    "null says the same, but for the two moments, which it takes away."
)
class WaitingRoomInput:
    suspended: bool | None = strawberry.field(
        default=None, description="The room is off, and everybody may hold tickets. True by default."
    )
    queueing_method: QueueingMethod | None = strawberry.field(
        default=None, description="Who is called next. FIFO by default."
    )
    total_active_users: int | None = strawberry.field(
        default=None,
        description="Most people called or admitted at a time, 1 to 1000000. 1000 by default. "
        "Below what is taken now, nobody is called until there is room, and nobody is sent away.",
    )
    new_users_per_minute: int | None = strawberry.field(
        default=None, description="Most people called in any 60 seconds, 1 to 1000000. 600 by default."
    )
    pass_claim_timeout_seconds: int | None = strawberry.field(
        default=None, description="How long a call waits to be claimed, 1 to 7200. 60 by default."
    )
    session_duration_seconds: int | None = strawberry.field(
        default=None, description="Life of a pass, from its claim, 1 to 7200. 300 by default."
    )
    prequeue_starts_at: datetime | None = strawberry.field(
        default=UNSET, description="From when people may join, before the room opens. Null: from the publication on."
    )
    opens_at: datetime | None = strawberry.field(
        default=UNSET,
        description="From when people are called, inside the sale window. Null: from the start of the sale on. "
        "A line that has opened is not closed again; pause the room or reset it.",
    )
    shuffle_at_start: bool | None = strawberry.field(
        default=None,
        description="Those who join before the opening are put into an order by lot; not for RANDOM or PASSTHROUGH. "
        "False by default, and settled once the line has opened.",
    )
    queue_all: bool | None = strawberry.field(
        default=None, description="Paused: everybody queues, and nobody is called. False by default."
    )
    heartbeat_timeout_seconds: int | None = strawberry.field(
        default=None,
        description="How long a place without a socket lives on one heartbeat, 1 to 7200. 30 by default.",
    )
    disconnect_grace_seconds: int | None = strawberry.field(
        default=None, description="How long a place outlives its last socket, 1 to 7200. 60 by default."
    )
    message: str | None = strawberry.field(
        default=None, description="To everybody in the line, at most 500 characters. Empty: none, as by default."
    )

    def read(self) -> RoomSettingsPatch:
        given: dict[str, Setting] = {
            "suspended": self.suspended,
            "queueing_method": self.queueing_method,
            "total_active_users": self.total_active_users,
            "new_users_per_minute": self.new_users_per_minute,
            "pass_claim_timeout_ms": _ms(self.pass_claim_timeout_seconds),
            "session_duration_ms": _ms(self.session_duration_seconds),
            "shuffle_at_start": self.shuffle_at_start,
            "queue_all": self.queue_all,
            "heartbeat_timeout_ms": _ms(self.heartbeat_timeout_seconds),
            "disconnect_grace_ms": _ms(self.disconnect_grace_seconds),
            "message": self.message,
        }
        moments: dict[str, Setting] = {"prequeue_starts_at": self.prequeue_starts_at, "opens_at": self.opens_at}
        return RoomSettingsPatch(
            tuple((name, value) for name, value in given.items() if value is not None)
            + tuple((name, value) for name, value in moments.items() if value is not UNSET)
        )


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * _MS


@strawberry.input(description="Settings to change, live: the line and who was called stay as they are.")
class ConfigureWaitingRoomInput:
    concert_id: strawberry.ID
    expected_version: int | None = strawberry.field(
        default=None,
        description="Of the settings (`settingsVersion`): refuse with VersionConflictError unless it is still that.",
    )
    settings: WaitingRoomInput


@strawberry.input(description="The concert whose line waits: places stay, and nobody is called.")
class PauseWaitingRoomInput:
    concert_id: strawberry.ID


@strawberry.input(description="The concert whose line goes on.")
class ResumeWaitingRoomInput:
    concert_id: strawberry.ID


@strawberry.input(description="People to call by hand, under both caps, also while the room is paused.")
class AdmitNextInput:
    concert_id: strawberry.ID
    count: int = strawberry.field(description="1 to 1000.")
    idempotency_key: str = strawberry.field(
        description="Yours, new for each call by hand, like a UUID; with the same key nobody is called twice."
    )


@strawberry.input(
    description="The line to empty: whoever waits loses their place, and whoever was called stays called."
)
class ResetWaitingRoomInput:
    concert_id: strawberry.ID
    idempotency_key: str = strawberry.field(
        description="Yours, new for each reset, like a UUID; with the same key the line is emptied once."
    )
    settings: WaitingRoomInput | None = strawberry.field(
        default=None, description="For the new round: what only a line that has not opened can take on, and the rest."
    )
