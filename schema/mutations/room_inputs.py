"""Waiting room inputs of organizers: the settings, and the inputs of room commands."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from domain.room_changes import RoomSettingsPatch, Setting
from schema.enums import QueueingMethod

_MS = 1000


@strawberry.input(
    description=(
        "Settings of a waiting room. An absent field keeps its value, or gets its default; so"
        " does null, except for the two times, which it removes."
    )
)
class WaitingRoomInput:
    suspended: bool | None = strawberry.field(
        default=None,
        description="Turn the waiting room off, so that tickets can be held without a pass. True by default.",
    )
    queueing_method: QueueingMethod | None = strawberry.field(
        default=None, description="How the next person is chosen. FIFO by default."
    )
    total_active_users: int | None = strawberry.field(
        default=None,
        description=(
            "The most people called or admitted at a time, 1 to 1000000. 1000 by default. If more"
            " are active now, they stay, and calls wait until there is room."
        ),
    )
    new_users_per_minute: int | None = strawberry.field(
        default=None, description="The most people called in any 60 seconds, 1 to 1000000. 600 by default."
    )
    pass_claim_timeout_seconds: int | None = strawberry.field(
        default=None, description="How many seconds a called person has to claim the pass, 1 to 7200. 60 by default."
    )
    session_duration_seconds: int | None = strawberry.field(
        default=None, description="How many seconds a pass is valid after it was claimed, 1 to 7200. 300 by default."
    )
    prequeue_starts_at: datetime | None = strawberry.field(
        default=UNSET, description="When people can start to join, before the opening. Null means since publication."
    )
    opens_at: datetime | None = strawberry.field(
        default=UNSET,
        description=(
            "When calling starts, inside the sale window. Null means at the start of the sale. A "
            "queue that has opened does not close again; pause or reset it instead."
        ),
    )
    shuffle_at_start: bool | None = strawberry.field(
        default=None,
        description=(
            "Let a lottery order the people who join before the opening. Not for RANDOM or "
            "PASSTHROUGH. False by default; it cannot change after the queue has opened."
        ),
    )
    queue_all: bool | None = strawberry.field(
        default=None, description="Pause the queue: people wait and are only called manually. False by default."
    )
    heartbeat_timeout_seconds: int | None = strawberry.field(
        default=None,
        description=(
            "How many seconds one heartbeat keeps an entry alive without a connection, 1 to 7200. 90 by "
            "default. A hidden browser tab runs timers only once a minute: below 70, people in another "
            "tab lose their places."
        ),
    )
    disconnect_grace_seconds: int | None = strawberry.field(
        default=None,
        description=(
            "How many seconds an entry stays alive after its last connection closed, 1 to 7200. 60 by default."
        ),
    )
    message: str | None = strawberry.field(
        default=None, description="A message to everyone in the queue, at most 500 characters. Empty by default."
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


@strawberry.input(
    description=(
        "Settings to change while the waiting room runs. The queue and the people who were called stay as they are."
    )
)
class ConfigureWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    expected_version: int | None = strawberry.field(
        default=None,
        description="The expected `settingsVersion`. The change is refused with VersionConflictError if it differs.",
    )
    settings: WaitingRoomInput = strawberry.field(description="The settings to change.")


@strawberry.input(description="The concert whose queue to pause. Places are kept, and people are only called manually.")
class PauseWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(description="The concert whose queue to resume.")
class ResumeWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(description="Calls people manually, within both limits, even while the waiting room is paused.")
class AdmitNextInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    count: int = strawberry.field(description="1 to 1000.")
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. "
            "Repeating the request with the same key never calls anyone twice."
        )
    )


@strawberry.input(
    description="The queue to reset. People who wait lose their place; people who were called keep their turn."
)
class ResetWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. Repeating the request with the same key resets the queue once."
        )
    )
    settings: WaitingRoomInput | None = strawberry.field(
        default=None,
        description="Settings of the new round, including those that cannot change after the queue has opened.",
    )
