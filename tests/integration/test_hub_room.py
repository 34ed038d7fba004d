"""Waiting rooms that the hub pushes to organizers, even when only time passes."""

from functools import partial
from itertools import pairwise

import pytest

from domain.ids import PersonId
from domain.queues import RoomStatus
from domain.topics import RoomTopic
from resolvers import queues, rooms
from storage.connect import Stores
from subscriptions.hub import Hub
from subscriptions.publishing import concert_publisher
from tests.support.hot_keys import advance_clock
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.lossy_hints import lose_hints
from tests.support.lottery import register
from tests.support.queue_steps import make_people
from tests.support.sale import context, on_sale, organizer
from tests.support.script_calls import recorded_calls
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker


def has_waiting_count(seen: SnapshotRecorder, count: int) -> bool:
    return seen.room().waiting_count == count


def counts(seen: SnapshotRecorder) -> tuple[int, int, int, int]:
    room = seen.room()
    return room.waiting_count, room.slots_taken, room.flow.inflow, room.flow.outflow


async def test_room_is_pushed_when_people_join_are_called_or_leave(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    seen = await subscribe(hub, RoomTopic(concert.id))
    assert counts(seen) == (0, 0, 0, 0)
    people = make_people(5)
    await register(stores, concert, people)
    await wait_until(lambda: counts(seen) == (5, 0, 5, 0), what="the joins")
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: counts(seen) == (3, 2, 5, 2), what="the calls")
    await queues.leave_queue(context(stores, people[4]), concert.id)
    await wait_until(lambda: (seen.room().waiting_count, seen.room().flow.left) == (2, 1), what="the departure")
    await rooms.pause(organizer(stores), concert.id)
    await wait_until(lambda: seen.room().status is RoomStatus.PAUSED, what="the pause")
    check_rising(seen)


async def test_room_is_refreshed_without_hints(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    async with open_hub(stores, valkey_url) as (hub, feed):
        lose_hints(monkeypatch, feed)
        seen = await subscribe(hub, RoomTopic(concert.id))
        for count in (1, 2):
            await register(stores, concert, make_people(1, first=count))
            await wait_until(partial(has_waiting_count, seen, count), what="the join")


async def test_counts_for_the_last_minute_are_pushed_as_they_drop(stores: Stores, hub: Hub) -> None:
    """Only the time changes, so no version increases."""
    concert = await on_sale(stores, 10, room=ROOM)
    await register(stores, concert, make_people(3))
    seen = await subscribe(hub, RoomTopic(concert.id))
    assert seen.room().flow.inflow == 3
    version = seen.room().version
    await advance_clock(stores, concert, 75_000)
    await wait_until(lambda: seen.room().flow.inflow == 0, what="the end of the minute")
    assert (seen.room().version, seen.room().waiting_count) == (version, 3)


async def test_unchanged_room_is_not_pushed_again(stores: Stores, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    monkeypatch.setattr(concert_publisher, "MAX_REFRESH_INTERVAL_S", 0.0)
    with recorded_calls(stores) as calls:
        seen = await subscribe(hub, RoomTopic(concert.id))
        await wait_until(lambda: calls.count("read_snapshot") > 4, what="more refreshes")
    assert len(seen.snapshots) == 1


async def test_organizer_who_subscribes_later_also_receives_the_room(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    early = await subscribe(hub, RoomTopic(concert.id))
    await register(stores, concert, [PersonId("ann")])
    late = await subscribe(hub, RoomTopic(concert.id))
    assert late.room().waiting_count == 1
    await register(stores, concert, [PersonId("ben")])
    for one in (early, late):
        await wait_until(partial(has_waiting_count, one, 2), what="the second join")
    assert all(before != after for before, after in pairwise(early.snapshots))
