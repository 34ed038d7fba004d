"""Queue entries that the hub pushes, and the presence of people with a subscription."""

import asyncio

from domain.concerts import Concert
from domain.ids import PersonId
from domain.queues import EntryState
from domain.topics import QueueSnapshot, QueueTopic
from resolvers import queues
from storage.connect import Stores
from subscriptions.hub import Hub, HubSubscription
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, subscribe
from tests.support.sale import context, on_sale
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker


async def test_position_changes_and_the_call_are_pushed_to_the_person(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    for who in ("ann", "ben", "cyd", "dan"):
        await queues.join_queue(context(stores, who), concert.id)
    seen = await subscribe(hub, QueueTopic(concert.id, PersonId("dan")))
    assert seen.state_and_position() == (EntryState.WAITING, 4)
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: seen.state_and_position() == (EntryState.WAITING, 2), what="two calls")
    for who in ("ann", "cyd"):
        await queues.leave_queue(context(stores, who), concert.id)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: seen.state_and_position() == (EntryState.READY, 0), what="the call")
    await queues.claim_pass(context(stores, "dan"), concert.id)
    await wait_until(lambda: seen.state_and_position()[0] is EntryState.ADMITTED, what="the pass")
    queue_pass = seen.entry().queue_pass
    assert queue_pass is not None
    assert queue_pass.token is not None
    check_rising(seen)


async def test_join_is_pushed_to_every_subscribed_device(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    seen = [await subscribe(hub, QueueTopic(concert.id, PersonId("ann"))) for _ in range(2)]
    assert [one.queue().entry for one in seen] == [None, None]
    await queues.join_queue(context(stores, "ann"), concert.id)
    await wait_until(lambda: all(one.queue().entry for one in seen), what="the entry")
    assert seen[0].queue() == seen[1].queue()
    await wait_until(lambda: _is_present(stores, concert, "ann"), what="the connection")


async def test_first_snapshot_contains_an_existing_entry(stores: Stores, hub: Hub) -> None:
    """The entry is included even if a refresh was already running when the person subscribed."""
    concert = await on_sale(stores, 10, room=ROOM)
    seen = await subscribe(hub, QueueTopic(concert.id, PersonId("p0")))

    async def join_and_subscribe(who: str) -> QueueSnapshot:
        await queues.join_queue(context(stores, who), concert.id)
        return (await subscribe(hub, QueueTopic(concert.id, PersonId(who)))).queue()

    for first in range(1, 100, 10):
        snapshots = await asyncio.gather(*[join_and_subscribe(f"p{number}") for number in range(first, first + 10)])
        assert [one.entry is None for one in snapshots] == [False] * 10
    assert seen.snapshots


async def _is_present(stores: Stores, concert: Concert, who: str) -> bool:
    entry = await queues.get_viewer_entry(context(stores, who), concert.id)
    return entry is not None and entry.expires_at is None


async def test_person_is_present_until_their_last_connection_closes(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    await queues.join_queue(context(stores, "ann"), concert.id)
    await queues.join_queue(context(stores, "ben"), concert.id)
    connections: list[HubSubscription] = []
    for _ in range(2):
        seen = SnapshotRecorder(QueueTopic(concert.id, PersonId("ann")))
        connections.append(await hub.subscribe(seen, seen.deliver))
    await wait_until(lambda: _is_present(stores, concert, "ann"), what="the connection")
    connections[0].close()
    connections[0].close()
    # Presence reports reach the store in order, so one about ann would arrive before this one.
    await subscribe(hub, QueueTopic(concert.id, PersonId("ben")))
    await wait_until(lambda: _is_present(stores, concert, "ben"), what="the connection of another person")
    assert await _is_present(stores, concert, "ann")
    connections[1].close()

    async def is_disconnected() -> bool:
        return not await _is_present(stores, concert, "ann")

    await wait_until(is_disconnected, what="the disconnect")
