"""Places in line as they are pushed: exact, one's own news at once, the moves of the line as the bands allow."""

import asyncio

from domain.concerts import Concert
from domain.ids import PersonId
from domain.queues import EntryState
from domain.topics import QueueSnapshot, QueueTopic
from resolvers import queues
from storage.connect import Stores
from subscriptions.hub import Hub, HubSubscription
from tests.support.hub_recorder import ROOM, TICK_S, SnapshotRecorder, check_rising, subscribe
from tests.support.sale import context, on_sale
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker


async def test_a_person_sees_the_line_move_and_is_called(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    for who in ("ann", "ben", "cyd", "dan"):
        await queues.join_queue(context(stores, who), concert.id)
    seen = await subscribe(hub, QueueTopic(concert.id, PersonId("dan")))
    assert seen.place() == (EntryState.WAITING, 4)
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: seen.place() == (EntryState.WAITING, 2), what="two calls")
    for who in ("ann", "cyd"):
        await queues.leave_queue(context(stores, who), concert.id)
    await AdmissionWorker().run_once(stores)
    await wait_until(lambda: seen.place() == (EntryState.READY, 0), what="the call")
    await queues.claim_pass(context(stores, "dan"), concert.id)
    await wait_until(lambda: seen.place()[0] is EntryState.ADMITTED, what="the pass")
    queue_pass = seen.entry().queue_pass
    assert queue_pass is not None
    assert queue_pass.token is not None
    check_rising(seen)


async def test_who_watches_before_joining_sees_the_join_from_any_device(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    seen = [await subscribe(hub, QueueTopic(concert.id, PersonId("ann"))) for _ in range(2)]
    assert [one.line().entry for one in seen] == [None, None]
    await queues.join_queue(context(stores, "ann"), concert.id)
    await wait_until(lambda: all(one.line().entry for one in seen), what="the place")
    assert seen[0].line() == seen[1].line()
    await wait_until(lambda: _is_present(stores, concert, "ann"), what="the attachment")


async def test_who_subscribes_after_joining_never_sees_a_line_without_themselves(stores: Stores, hub: Hub) -> None:
    """Also while a look is under way that began before they came."""
    concert = await on_sale(stores, 10, room=ROOM)
    watching = await subscribe(hub, QueueTopic(concert.id, PersonId("p0")))

    async def come(who: str) -> QueueSnapshot:
        await queues.join_queue(context(stores, who), concert.id)
        return (await subscribe(hub, QueueTopic(concert.id, PersonId(who)))).line()

    for first in range(1, 100, 10):
        shown = await asyncio.gather(*[come(f"p{number}") for number in range(first, first + 10)])
        assert [one.entry is None for one in shown] == [False] * 10
    assert watching.snapshots


async def _is_present(stores: Stores, concert: Concert, who: str) -> bool:
    entry = await queues.get_viewer_entry(context(stores, who), concert.id)
    return entry is not None and entry.expires_at is None


async def test_a_socket_speaks_for_its_person_until_it_closes(stores: Stores, hub: Hub) -> None:
    concert = await on_sale(stores, 10, room=ROOM)
    await queues.join_queue(context(stores, "ann"), concert.id)
    watches: list[HubSubscription] = []
    for _ in range(2):
        seen = SnapshotRecorder(QueueTopic(concert.id, PersonId("ann")))
        watches.append(await hub.subscribe(seen, seen.deliver))
    await wait_until(lambda: _is_present(stores, concert, "ann"), what="the attachment")
    watches[0].close()
    watches[0].close()
    await asyncio.sleep(3 * TICK_S)
    assert await _is_present(stores, concert, "ann")
    watches[1].close()

    async def is_on_their_own() -> bool:
        return not await _is_present(stores, concert, "ann")

    await wait_until(is_on_their_own, what="the detachment")
