"""A change to waiting-room settings changes only the given fields, whatever the current version."""

from dataclasses import replace

import pytest

from auth.viewer import Role
from domain.concerts import Concert, ConcertChange
from domain.ids import ConcertId
from domain.queues import QueueingMethod, RoomSettings
from resolvers import concerts
from resolvers.context import Context
from schema import Operation, execute, ids
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, FakeStores

REJECT = QueueingMethod.REJECT
UPDATE = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
OPENS_AT = CONCERT.terms.sales_start_at
BEFORE = RoomSettings(
    suspended=False, total_active_users=5, heartbeat_timeout_ms=7_000, opens_at=OPENS_AT, message="Hi"
)


@pytest.mark.parametrize(
    ("given", "expected_version", "changed"),
    [
        ({"waitingRoom": {"totalActiveUsers": 9}}, None, replace(BEFORE, total_active_users=9)),
        ({"waitingRoom": {"suspended": True}}, 3, replace(BEFORE, suspended=True)),
        ({"waitingRoom": {"passClaimTimeoutSeconds": 2}}, None, replace(BEFORE, pass_claim_timeout_ms=2_000)),
        ({"waitingRoom": {}}, None, BEFORE),
        ({"waitingRoom": {"opensAt": None}}, None, replace(BEFORE, opens_at=None)),
        ({"waitingRoom": {"prequeueStartsAt": None, "message": None, "suspended": None}}, None, BEFORE),
        ({"waitingRoom": {"message": ""}}, None, replace(BEFORE, message="")),
        ({"waitingRoom": {"queueingMethod": "REJECT"}}, None, replace(BEFORE, queueing_method=REJECT)),
        ({"waitingRoom": {"queueAll": True}}, None, replace(BEFORE, queue_all=True)),
        ({"waitingRoom": {"shuffleAtStart": True}}, None, replace(BEFORE, shuffle_at_start=True)),
        ({"name": "Other"}, None, None),
        ({"name": "Other"}, 3, None),
    ],
)
async def test_room_settings_change_field_by_field(
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, object],
    expected_version: int | None,
    changed: RoomSettings | None,
) -> None:
    """A change to all fields would undo a concurrent change to another field."""
    concert = replace(CONCERT, room=BEFORE, version=4)
    seen: list[tuple[RoomSettings | None, int | None]] = []

    async def update(_: Context, __: ConcertId, change: ConcertChange, *, expected_version: int | None) -> Concert:
        seen.append((change.room.apply_to(BEFORE) if change.room else None, expected_version))
        return concert

    monkeypatch.setattr(concerts, "update_concert", update)
    update_input = {"concertId": ids.of_concert(concert.id), "expectedVersion": expected_version, **given}
    context = FakeStores(concert).context(viewer("olivia", Role.ORGANIZER))
    answer = await execute(Operation(UPDATE, {"input": update_input}, None), context)
    assert answer.payload["data"] == {"updateConcert": {"__typename": "UpdateConcertSuccess"}}
    assert seen == [(changed, expected_version)]
