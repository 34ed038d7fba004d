"""A room as its organisers watch it: never more than a second old, also where only time passes."""

from functools import partial
from itertools import pairwise

from domain.concerts import Concert
from domain.ids import PersonId
from domain.queues import RoomStatus
from domain.topics import RoomTopic
from resolvers import queues, rooms
from storage.connect import Stores
from storage.keys import KINDS, concert_keys, hints_channel
from subscriptions.hub import Hub
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.queue_steps import join_all as register
from tests.support.queue_steps import make_people
from tests.support.sale import context, on_sale, organizer
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

FRESH_S = 30.0
"""The room is refreshed every 0.9 s; a busy machine may take much longer."""


def waiting(seen: SnapshotRecorder, count: int) -> bool:
    return seen.room().waiting_count == count


def counted(seen: SnapshotRecorder) -> tuple[int, int, int, int]:
    room = seen.room()
    return room.waiting_count, room.slots_taken, room.flow.inflow, room.flow.outflow


async def test_a_room_is_shown_when_people_come_are_called_and_leave(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    seen = await subscribe(hub, RoomTopic(concert.id))
    assert counted(seen) == (0, 0, 0, 0)
    await register(stores, concert, make_people(5))
    await wait_until(lambda: counted(seen) == (5, 0, 5, 0), timeout=FRESH_S, what="the crowd")
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: counted(seen) == (3, 2, 5, 2), timeout=FRESH_S, what="the calls")
    await queues.leave_queue(context(stores, "person5"), concert.id)
    await wait_until(lambda: (seen.room().waiting_count, seen.room().flow.left) == (2, 1), timeout=FRESH_S, what="him")
    await rooms.pause(organizer(stores), concert.id)
    await wait_until(lambda: seen.room().status is RoomStatus.PAUSED, timeout=FRESH_S, what="the pause")
    check_rising(seen)


async def test_room_is_refreshed_without_hints(stores: Stores, valkey_url: str) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    async with open_hub(stores, valkey_url) as (hub, feed):
        seen = await subscribe(hub, RoomTopic(concert.id))
        await feed.stop_listening(hints_channel(concert.id))
        feed.listen(hints_channel(concert.id), lambda _: None)
        for count in (1, 2):
            await register(stores, concert, make_people(1, first=count))
            await wait_until(partial(waiting, seen, count), timeout=FRESH_S, what="the join")


async def test_counts_of_the_last_minute_are_shown_as_they_age(stores: Stores, hub: Hub) -> None:
    """Nothing happens, and no version rises."""
    concert = await on_sale(stores, 10, room=ROOM)
    await register(stores, concert, make_people(3))
    seen = await subscribe(hub, RoomTopic(concert.id))
    assert seen.room().flow.inflow == 3
    version = seen.room().version
    await _pass_time(stores, concert, 75_000)
    await wait_until(lambda: seen.room().flow.inflow == 0, timeout=FRESH_S, what="the age")
    assert (seen.room().version, seen.room().waiting_count) == (version, 3)


async def _pass_time(stores: Stores, concert: Concert, ms: int) -> None:
    await stores.script_client.run_command("HINCRBY", concert_keys(concert.id)[KINDS.index("state")], "now_ms", str(ms))


async def test_a_room_in_which_nothing_moves_is_not_shown_again(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    seen = await subscribe(hub, RoomTopic(concert.id))
    watching = hub._concerts[concert.id]
    for _ in range(3):
        await watching._refresh()
    assert len(seen.snapshots) == 1


async def test_organisers_who_come_later_are_shown_the_room_too(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    early = await subscribe(hub, RoomTopic(concert.id))
    await register(stores, concert, [PersonId("ann")])
    late = await subscribe(hub, RoomTopic(concert.id))
    assert late.room().waiting_count == 1
    await register(stores, concert, [PersonId("ben")])
    for one in (early, late):
        await wait_until(partial(waiting, one, 2), timeout=FRESH_S, what="the second")
    assert all(before != after for before, after in pairwise(early.snapshots))
