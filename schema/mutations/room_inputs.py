"""The inputs for changing and controlling waiting rooms."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from domain.room_changes import RoomSettingsPatch, Setting
from schema.enums import QueueingMethod

_MS = 1000


@strawberry.input(
    description=(
        "Settings of a waiting room. A field that is absent or null keeps its value, or gets its"
        " default in a new room. However, null removes `prequeueStartsAt` and `opensAt`."
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
            "The maximum number of people called or admitted at the same time, 1 to 1000000. 1000 by default."
            " If more people are active now, they keep their turn, and no one is called until a slot is free."
        ),
    )
    new_users_per_minute: int | None = strawberry.field(
        default=None, description="The maximum number of people called in any 60 seconds, 1 to 1000000. 600 by default."
    )
    pass_claim_timeout_seconds: int | None = strawberry.field(
        default=None, description="How many seconds a called person has to claim the pass, 1 to 7200. 60 by default."
    )
    session_duration_seconds: int | None = strawberry.field(
        default=None, description="How many seconds a pass is valid after it is claimed, 1 to 7200. 300 by default."
    )
    prequeue_starts_at: datetime | None = strawberry.field(
        default=UNSET, description="When people can start to join, before the opening. Null means at publication."
    )
    opens_at: datetime | None = strawberry.field(
        default=UNSET,
        description=(
            "When people start to be called. It must be within the sale window. Null means at the start of the sale. A "
            "queue that has opened does not close again; pause or reset it instead."
        ),
    )
    shuffle_at_start: bool | None = strawberry.field(
        default=None,
        description=(
            "Let a lottery order the people who join before the opening. Not allowed with RANDOM or "
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
            "default. A hidden browser tab runs timers only once a minute: below 70, people who switch to "
            "another tab lose their place."
        ),
    )
    disconnect_grace_seconds: int | None = strawberry.field(
        default=None,
        description=(
            "How many seconds an entry stays alive after its last connection closes, 1 to 7200. 60 by default."
        ),
    )
    message: str | None = strawberry.field(
        default=None, description="A message to everyone in the queue, at most 500 characters. Empty by default."
    )
    proof_of_work_bits: int | None = strawberry.field(
        default=None,
        description=(
            "Ask devices to solve a challenge before they join: how many leading bits of a SHA-256 must be zero,"
            " 0 to 24. Each bit doubles the work. The default is 0, which means no challenge."
        ),
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
            "proof_of_work_bits": self.proof_of_work_bits,
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
        "Settings to change while the waiting room runs. The queue and the people already called are not affected."
    )
)
class ConfigureWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    expected_version: int | None = strawberry.field(
        default=None,
        description="The expected `settingsVersion`. The change is refused with VersionConflictError if it differs.",
    )
    settings: WaitingRoomInput = strawberry.field(description="The settings to change.")


@strawberry.input(description="The concert whose queue to pause. People keep their place and are only called manually.")
class PauseWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(description="The concert whose queue to resume.")
class ResumeWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")


@strawberry.input(
    description=(
        "How many people to call manually, even while the waiting room is paused. `totalActiveUsers`"
        " and `newUsersPerMinute` still apply."
    )
)
class AdmitNextInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    count: int = strawberry.field(description="The number of people to call, 1 to 1000.")
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. "
            "Repeating the request with the same key never calls anyone twice."
        )
    )


@strawberry.input(
    description="The queue to reset. People who are waiting lose their place; people already called keep their turn."
)
class ResetWaitingRoomInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    idempotency_key: str = strawberry.field(
        description=(
            "A unique key chosen by you, such as a UUID. Repeating the request with the same key does"
            " not reset the queue again."
        )
    )
    settings: WaitingRoomInput | None = strawberry.field(
        default=None,
        description="Settings of the new round, including those that cannot change after the queue has opened.",
    )
